// What the kernel answers about pictures: previews, thumbnails, crops, the rectified box.

const JPEG = { type: "image/jpeg" };

export class PictureReplies {
  constructor(view) {
    this.view = view;
  }

  bitmap(buffer, act, failed = () => {}) {
    createImageBitmap(new Blob([buffer], JPEG)).then(act, () => failed("the browser cannot show this picture"));
  }

  picture(message, [buffer]) {
    this.bitmap(buffer, (bitmap) => {
      this.view.pictures.arrived(message.at, bitmap);
      if (message.at === this.view.list.at) { this.view.show(); this.view.pictures.detail(); }
    }, (error) => this.failed_picture({ ...message, error }));
  }

  failed_picture(message) {
    this.view.pictures.failed(message.at, message.error);
    if (message.at === this.view.list.at) this.view.show();
  }

  thumbnails(message, buffers) {
    this.view.pictures.thumbnailsArrived(message.many, buffers);
    this.view.strip.draw();
  }

  crop(message, [buffer]) {
    this.bitmap(buffer, (bitmap) => {
      this.view.pictures.crops[message.tag] = { at: message.at, rect: message.rect, bitmap };
      if (message.at === this.view.list.at) this.view.drawAll();
    });
  }

  failed_crop() { /* the preview is shown; why the picture cannot be read, the message `picture` says */ }

  rectify(message, [buffer]) {
    this.bitmap(buffer, (bitmap) => this.rectified({ at: message.at, bitmap }));
  }

  failed_rectify(message) { this.rectified({ at: message.at, error: message.error }); }

  rectified(result) {
    this.view.pictures.rectifiedArrived(result);
    this.view.rectifiedBox.draw();
  }
}
