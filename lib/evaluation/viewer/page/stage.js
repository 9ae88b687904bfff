// The stage: the picture with the label, the answer and other people's version on it, and handles on four corners.
import { around, button, layers, make } from "./dom.js";
import { Camera } from "./camera.js";
import { paintBoxes } from "./boxes.js";
import { COLOURS, radii } from "./outlines.js";
import { paintQuads } from "./quads.js";

export class Stage {
  constructor(view) {
    this.view = view;
    this.corner = -1;        // which corner is in hand
    this.box = -1;           // which box is in hand
    this.pointer = null;     // where the mouse is, in the picture
    this.linesShown = true;
    this.layers = layers();
    this.canvas = this.layers.lines;
    this.handles = [0, 1, 2, 3].map((number) => {
      const node = button("", `corner ${number + 1}`, () => {}, "handle");
      node.tabIndex = -1;
      node.setAttribute("aria-label", `corner ${number + 1}`);
      return node;
    });
    this.banner = make("div", "banner");
    this.message = make("div", "message");
    this.chips = make("div", "chips");
    this.node = make("div", "stage", "", [this.layers.node, ...this.handles, this.chips, this.banner, this.message]);
    this.camera = new Camera(this.node);
  }

  // Another picture is on the screen.
  came() {
    this.corner = this.box = -1;
    this.view.quads.chosen = 0;
    const { item } = this.view.list;
    if (item) this.camera.open([item.width, item.height]);
  }

  resize() {
    if (!this.node.clientWidth || !this.node.clientHeight) return;
    if (this.camera.fitted && this.view.list.item) this.camera.fit();
    this.paint();
  }

  draw() {
    this.view.timers.frame("stage", () => this.paint());
  }

  // The corners of the label on the screen, of several boxes those of the chosen one, or null.
  cornersShown() {
    return this.view.list.at >= 0 ? this.view.labels.corners(this.view.quads.box) : null;
  }

  // The four corners that can be dragged: those of the label, or of the box in hand. Null: none.
  editable() {
    const { view } = this;
    if (view.readOnly || view.list.at < 0) return null;
    if (view.labels.boxed) return view.boxes.held ? around(view.boxes.held) : null;
    return this.cornersShown();
  }

  // The point that the loupe shows: the corner in hand, else the mouse.
  target() {
    return this.corner >= 0 && this.editable()?.[this.corner] || this.pointer;
  }

  zoom(by, about = null) {
    const held = this.corner >= 0 && this.editable()?.[this.corner];
    if (!this.view.list.item) return;
    this.camera.zoom(by, about ?? (held ? this.camera.toStage(held) : undefined));
    this.view.moved();
  }

  fit() {
    if (!this.view.list.item) return;
    this.camera.fit();
    this.view.moved();
  }

  paint() {
    const [picture, lines] = this.layers.clear(), { item, at } = this.view.list, { view } = this;
    for (const handle of this.handles) handle.style.display = "none";
    if (!item) return;
    if (view.pictures.preview) this.paintPicture(picture, item);
    else if (!view.pictures.broken.has(at)) {
      this.camera.apply(picture);
      picture.fillStyle = "#8883";
      picture.fillRect(0, 0, item.width, item.height);
    }
    if (this.linesShown) this.paintLabels(lines, item);
    this.placeHandles();
    if (view.pictures.preview) view.pictureShown(item);
  }

  paintPicture(context, item) {
    const bitmap = this.view.pictures.preview, crop = this.view.pictures.crops.stage;
    this.camera.apply(context);
    context.imageSmoothingEnabled = this.camera.scale < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, item.width, item.height);
    if (crop?.at === this.view.list.at && this.camera.scale * devicePixelRatio > 1.15 * bitmap.width / item.width) {
      context.drawImage(crop.bitmap, ...crop.rect);
    }
  }

  paintLabels(context, item) {
    const { labels, drafts, list, now } = this.view, conflict = drafts.get(list.at)?.conflict;
    const changed = labels.changed(item, now.label);
    const colour = labels.fault(now.label) ? COLOURS.fault : changed ? COLOURS.changed : COLOURS.label;
    if (labels.boxed) return paintBoxes(this.view, context, item, { changed, conflict });
    const paint = (values, hue, width, dashes, act) => paintQuads(this.view, context, values, () => hue, () => width, dashes, act);
    paint(item.answer, COLOURS.model, 1.6, [], (box, corners) => radii(context, corners, box.radius?.map((each) => each * this.camera.scale)));
    paint(item.other?.answer, COLOURS.other, 1.6, [2, 4]);
    if (changed) paint(labels.ofTable(item), COLOURS.label, 1.2, [5, 4]);
    paint(conflict?.label, COLOURS.theirs, 2, [9, 4]);
    const { at } = this.view.quads, one = this.view.quads.all.length < 2;
    paintQuads(this.view, context, now.label, () => colour, (number) => one || number === at ? 2 : 1.2);
  }

  placeHandles() {
    const corners = this.linesShown && this.editable()?.map((each) => this.camera.toStage(each));
    const small = this.view.labels?.boxed && corners
      && Math.min(Math.abs(corners[2][0] - corners[0][0]), Math.abs(corners[2][1] - corners[0][1])) < 60;
    this.handles.forEach((handle, number) => {
      handle.style.display = corners ? "" : "none";
      if (!corners) return;
      // around a small box they stand a little off, so that it is seen
      const opposite = corners[(number + 2) % 4];
      const [x, y] = corners[number].map((each, axis) => each + (small ? 9 * Math.sign(each - opposite[axis]) : 0));
      handle.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
      handle.classList.toggle("held", number === this.corner);
    });
  }
}
