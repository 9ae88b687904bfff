// Pictures from the kernel: previews fetched ahead, crops at full resolution, the rectified box, thumbnails.

const AHEAD = [0, 1, 2, -1, 3, 4, 5, 6];   // previews that are fetched, seen from the present picture
const ASKED = 3;                           // previews asked for at a time
const HELD = 20;                           // previews in memory

export class Pictures {
  constructor(view) {
    this.view = view;
    this.previews = new Map();   // by number of the item
    this.broken = new Map();     // by number: why there is none
    this.asked = new Set();
    this.crops = {};             // by use: {at, rect, bitmap}
    this.rectified = null;       // {at, bitmap}, or {at, error}
    this.thumbnails = new Map(); // by number: address, "" while it is on its way or where there is none
  }

  get preview() { return this.previews.get(this.view.list.at); }

  // Forget what belongs to the picture that was on the screen.
  leave() {
    this.crops = {};
    this.rectified = null;
  }

  fetch() {
    const { order, place } = this.view.list;
    if (!order.length) return;
    const near = AHEAD.map((by) => order[(place + by + order.length * 8) % order.length]);
    for (const at of near) {
      if (this.asked.size >= ASKED) break;
      if (this.previews.has(at) || this.asked.has(at) || this.broken.has(at)) continue;
      this.asked.add(at);
      this.view.say({ do: "picture", at });
    }
    for (const [at, bitmap] of this.previews) {
      if (this.previews.size <= HELD) break;
      if (!near.includes(at)) { bitmap.close(); this.previews.delete(at); }
    }
  }

  arrived(at, bitmap) {
    this.asked.delete(at);
    this.broken.delete(at);
    this.previews.set(at, bitmap);
    this.fetch();
  }

  failed(at, reason) {
    this.asked.delete(at);
    this.broken.set(at, reason);
    this.fetch();
  }

  // --- full resolution

  // Ask for what the stage shows, where the preview is too coarse for it; at first, for the surroundings of a corner.
  detail(first = false) {
    const { list, stage, timers } = this.view, bitmap = this.preview;
    if (!bitmap) return;
    const ratio = stage.camera.scale * devicePixelRatio, has = bitmap.width / list.item.width;
    if (ratio <= 1.15 * has || has >= 1) {
      if (first && has < 1) this.lookAt(stage.target() ?? stage.cornersShown()?.[0]);
      return;
    }
    const rect = stage.camera.seen();
    if (rect[2] <= 1 || rect[3] <= 1) return;
    const most = Math.max(64, Math.ceil(Math.max(rect[2], rect[3]) * Math.min(1, ratio)));
    timers.frame("detail", () => this.view.say({ do: "crop", tag: "stage", at: list.at, rect, most }));
  }

  // Ask for the surroundings of a point for the loupe, unless they are there.
  lookAt(point) {
    const { list, timers } = this.view, bitmap = this.preview;
    if (!point || !bitmap || bitmap.width >= list.item.width) return;
    const crop = this.crops.loupe;
    const near = crop?.at === list.at && [0, 1].every((axis) =>
      Math.abs(point[axis] - crop.rect[axis] - crop.rect[axis + 2] / 2) < 140
      || crop.rect[axis + 2] < 512 && Math.abs(point[axis] - crop.rect[axis] - crop.rect[axis + 2] / 2) < 250);
    if (near) return;
    const rect = [point[0] - 256, point[1] - 256, 512, 512];
    timers.after("loupe crop", 60, () => this.view.say({ do: "crop", tag: "loupe", at: list.at, most: 640, rect }));
  }

  // --- the box seen from straight above

  // One request at a time; the newest corners are asked for when it is answered.
  rectify() {
    const corners = this.view.stage.cornersShown();
    this.wanted = Boolean(this.rectifying);
    if (!corners || this.rectifying) return;
    this.rectifying = true;
    this.view.timers.after("rectify", 60, () => {
      const present = this.view.stage.cornersShown();
      if (present) this.view.say({ do: "rectify", at: this.view.list.at, corners: present });
      else this.rectifying = false;
    });
  }

  rectifiedArrived(result) {
    this.rectifying = false;
    this.rectified = result;
    if (this.wanted) this.rectify();
  }

  // --- thumbnails

  askThumbnails(wanted) {
    const many = wanted.filter((at) => !this.thumbnails.has(at)).slice(0, 24);
    for (const at of many) this.thumbnails.set(at, "");
    if (many.length) this.view.say({ do: "thumbnails", many });
  }

  thumbnailsArrived(many, buffers) {
    many.forEach((at, number) => {
      const bytes = buffers[number];
      this.thumbnails.set(at, bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "");
    });
  }

  close() {
    for (const address of this.thumbnails.values()) if (address) URL.revokeObjectURL(address);
  }
}
