// What the kernel sends: one method for each message, named after its `do`; errors go to `failed_…` where there is one.
import { addItems, compared } from "./sets.js";

const JPEG = { type: "image/jpeg" };

export class Replies {
  constructor(view) {
    this.view = view;
  }

  handle(message, buffers) {
    const { view } = this;
    if (message.view && message.view !== view.id) return;
    const failed = this[`failed_${message.do}`];
    if (message.error && failed) failed.call(this, message);
    else if (message.error) view.notify(message.error);
    else if (message.do === "open" || view.about) this[message.do]?.(message, buffers ?? []);
  }

  bitmap(buffer, act, failed = () => {}) {
    createImageBitmap(new Blob([buffer], JPEG)).then(act, () => failed("the browser cannot show this picture"));
  }

  open(message) { this.view.opened(message); }

  failed_open(message) { this.view.stage.message.textContent = message.error; }

  whole_table(message) { addItems(this.view, message.items); }

  compare(message) { compared(this.view, message.run, message.answers); }

  updates(message) {
    for (const revision of message.revisions) this.view.drafts.met(revision);
    this.learn(message);
    this.view.show();
    if (message.revisions.some((each) => each.source === this.view.list.item?.source)) this.view.pictures.rectify();
  }

  learn(message) {
    this.view.offline = message.offline ?? "";
    if (message.place) this.view.keptIn = message.place;
    for (const revision of message.revisions) this.view.labels.add(revision);
  }

  history(message) {
    if (message.at === this.view.list.at) this.view.side.showPast(message.revisions);
  }

  // --- pictures

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

  // --- edits

  saved(message) {
    const { view } = this;
    view.offline = "";
    view.drafts.saved(message);
    view.show();
    view.strip.draw();
    const at = view.items.findIndex((item) => item.source === message.source);
    if (at === view.list.at) view.say({ do: "history", at });
    if (view.drafts.isUnsaved(at)) view.timers.after("autosave", 1000 * view.about.autosave, () => { view.drafts.save(at); view.show(); });
  }

  waiting(message) {
    const draft = this.draft(message);
    if (draft) draft.waiting = message.text;
    this.view.show();
  }

  conflict(message) {
    this.view.labels.add(message.revision);
    const draft = this.draft(message);
    if (draft) Object.assign(draft, { conflict: message.revision, waiting: "" });
    this.view.show();
    this.view.strip.draw();
  }

  refused(message) {
    this.view.drafts.failed(message);
    this.view.show();
    this.view.notify(message.text);
  }

  failed_save(message) { this.refused({ edit: message.edit, text: message.error }); }

  // The draft of an edit; one of an earlier visit of this reviewer is taken up again.
  draft({ edit, change }) {
    return this.view.drafts.ofEdit(edit)[1] ?? this.view.drafts.resume(edit, change);
  }
}
