// Labels that are boxes: take one in hand, draw, move, resize, name and remove it.
import { around } from "./dom.js";
import { COLOURS, outline } from "./outlines.js";

export class Boxes {
  constructor(view) {
    this.view = view;
    this.drawing = false;
  }

  get all() { return this.view.labels?.boxed && this.view.list.at >= 0 && this.view.now.label.boxes || []; }

  get held() { return this.all[this.view.stage.box]; }

  change(boxes, why, merge = false) {
    this.view.actions.change({ label: { boxes } }, why, merge);
  }

  // Take a box in hand; −1: none.
  take(number) {
    Object.assign(this.view.stage, { box: number, corner: -1 });
    this.view.hand.nudged = "";
    this.view.drawAll();
  }

  next(by) {
    const count = this.all.length, { box } = this.view.stage;
    if (count) this.take((box + by + (box < 0 && by < 0 ? count + 1 : count)) % count);
  }

  // Let the next drag draw a box.
  pen(on = !this.drawing) {
    this.drawing = on && (this.view.labels.boxed || this.view.labels.several) && !this.view.readOnly;
    this.view.stage.node.classList.toggle("drawing", this.drawing);
  }

  remove() {
    if (!this.held || this.view.readOnly) return;
    this.change(this.all.filter((box) => box !== this.held), "box removed");
    this.take(-1);
  }

  name(kind) {
    if (this.held) this.replace([...this.held.slice(0, 4), kind], "kind set");
  }

  replace(box, why, merge = false) {
    this.change(this.all.map((each, at) => at === this.view.stage.box ? box : each), why, merge);
  }

  stretch(number, place, merge) {
    const [x, y] = this.within(place), box = [...this.held];
    box[number === 0 || number === 3 ? 0 : 2] = x;
    box[number < 2 ? 1 : 3] = y;
    if (box[2] - box[0] >= 1 && box[3] - box[1] >= 1) this.replace(box, "box resized", merge);   // it is not turned inside out
  }

  shift([x, y], merge) {
    const { width, height } = this.view.list.item, [left, top, right, bottom, ...kind] = this.held;
    const across = Math.min(width - right, Math.max(-left, x)), down = Math.min(height - bottom, Math.max(-top, y));
    this.replace([left + across, top + down, right + across, bottom + down, ...kind], "box moved", merge);
  }

  spread([x, y], [right, bottom], merge) {
    const box = [Math.min(x, right), Math.min(y, bottom), Math.max(x, right), Math.max(y, bottom)];
    if (box[2] - box[0] < 1) box[2] = box[0] + 1;
    if (box[3] - box[1] < 1) box[3] = box[1] + 1;
    const { kinds } = this.view.about;
    if (kinds.length) box.push(merge ? this.all.at(-1)[4] : kinds[0]);
    this.change([...merge ? this.all.slice(0, -1) : this.all, box], "box drawn", merge);
    if (!merge) this.take(this.all.length - 1);
  }

  within([x, y]) {
    const { width, height } = this.view.list.item;
    return [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))];
  }

  // The number of the smallest box at a point; −1: none.
  under([x, y]) {
    const area = (at) => (this.all[at][2] - this.all[at][0]) * (this.all[at][3] - this.all[at][1]);
    return this.all.map((_, at) => at).filter((at) => {
      const [left, top, right, bottom] = this.all[at];
      return x >= left && x <= right && y >= top && y <= bottom;
    }).sort((one, other) => area(one) - area(other))[0] ?? -1;
  }
}

// Draw the boxes of the label, the answer, the table and of others.
export function paintBoxes(view, context, item, { changed, conflict }) {
  paintSet(view, context, item.answer.boxes, COLOURS.model, 1.6);
  paintSet(view, context, item.other?.answer.boxes, COLOURS.other, 1.6, [2, 4]);
  if (changed) paintSet(view, context, view.labels.ofTable(item).boxes, COLOURS.label, 1.2, [5, 4]);
  paintSet(view, context, conflict?.label?.boxes, COLOURS.theirs, 2, [9, 4]);
  paintSet(view, context, view.boxes.all, changed ? COLOURS.changed : COLOURS.label, 2, [], view.stage.box);
}

// `held` is the number of the box in hand where the boxes are the label's own.
function paintSet(view, context, boxes, colour, width, dashes = [], held = null) {
  boxes?.forEach((box, at) => {
    const corners = around(box).map((each) => view.stage.camera.toStage(each)), inHand = at === held;
    outline(context, corners, inHand ? COLOURS.held : colour, inHand ? 2.4 : width, dashes);
    if (!view.about.kinds.length) return;
    context.font = "11px sans-serif";
    context.fillStyle = inHand ? COLOURS.held : colour;
    const [x, y] = corners[held === null ? 3 : 0];
    context.fillText(box[4], x + 2, y + (held === null ? 12 : -4));
  });
}
