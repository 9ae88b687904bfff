// The boxes of a label whose corners are points: one of them is chosen, whose corners are dragged and whose rows are set.
import { outline } from "./outlines.js";

const SURE = 0.5;   // confidence from which on a box of an answer is taken as a label

export class Quads {
  constructor(view) {
    this.view = view;
    this.chosen = 0;
  }

  get several() { return Boolean(this.view.labels?.several); }

  get all() { return this.view.list.at >= 0 ? this.view.labels.boxesOf(this.view.now.label) : []; }

  get at() { return Math.max(0, Math.min(this.chosen, this.all.length - 1)); }

  // The chosen box; of a task with one label a picture that label.
  get box() { return this.all[this.at]; }

  choose(at) {
    const { view } = this;
    if (at === this.at || !this.all[at]) return;
    this.chosen = at;
    view.stage.corner = -1;
    view.hand.nudged = "";
    view.show();
    view.pictures.rectify();
  }

  next(by) {
    const { length } = this.all;
    if (length > 1) this.choose((this.at + by + length) % length);
  }

  // Change values of the chosen box.
  change(part, why, merge = false) {
    if (!this.several) return this.view.actions.change({ label: part }, why, merge);
    return this.put(this.all.map((box, at) => at === this.at ? { ...box, ...part } : box), why, merge);
  }

  put(boxes, why, merge = false) { return this.view.actions.change({ label: { boxes } }, why, merge); }

  remove() {
    const { view } = this;
    if (!this.several || view.readOnly || !this.box) return;
    if (this.all.length === 1) return view.notify("a label keeps one box; mark a picture that shows none as not usable");
    view.stage.corner = -1;
    this.put(this.all.filter((_, at) => at !== this.at), "box removed");
  }

  // Draw a new box from one corner to the opposite one; its rows are those of the chosen box until they are set.
  spread([x, y], [right, bottom], merge) {
    const [left, top] = [Math.min(x, right), Math.min(y, bottom)], { points, choices } = this.view.labels;
    const [wide, tall] = [Math.max(1, Math.abs(right - x)), Math.max(1, Math.abs(bottom - y))];
    const corners = [[left, top], [left + wide, top], [left + wide, top + tall], [left, top + tall]];
    const box = Object.fromEntries(points.flatMap(([nameX, nameY], at) => [[nameX, corners[at][0]], [nameY, corners[at][1]]]));
    for (const [name, values] of Object.entries(choices)) box[name] = this.box?.[name] ?? values[0];
    const changed = this.put([...merge ? this.all.slice(0, -1) : this.all, box], "box drawn", merge);
    if (changed && !merge) this.choose(this.all.length - 1);
  }

  // The number of the smallest box around a point; −1: none.
  under([x, y]) {
    const inside = (corners) => corners?.every(([fromX, fromY], at) => {
      const [toX, toY] = corners[(at + 1) % 4];
      return (toX - fromX) * (y - fromY) - (toY - fromY) * (x - fromX) >= 0;
    });
    const reach = (corners) => Math.hypot(corners[2][0] - corners[0][0], corners[2][1] - corners[0][1]);
    const { labels } = this.view, corners = this.all.map((box) => labels.corners(box));
    return corners.map((_, at) => at).filter((at) => inside(corners[at]))
      .sort((one, other) => reach(corners[one]) - reach(corners[other]))[0] ?? -1;
  }

  // The box of the answer that is nearest to the chosen one.
  answered(item) {
    const { labels } = this.view, found = labels.boxesOf(item.answer), mine = labels.corners(this.box);
    if (!mine || found.length < 2) return found[0] ?? item.answer;
    const apart = (box) => labels.corners(box)?.reduce((sum, [x, y], at) => sum + Math.hypot(x - mine[at][0], y - mine[at][1]), 0) ?? Infinity;
    return [...found].sort((one, other) => apart(one) - apart(other))[0];
  }
}

// The boxes of an answer that are sure enough to be a label: without any, the one that stands for the picture.
export function sureBoxes(answer) {
  const sure = (answer.boxes ?? []).filter((box) => !box.refused && (box.confidence == null || box.confidence >= SURE));
  return sure.length ? sure : answer.boxes?.length || Number.isFinite(answer.p1x) ? [answer] : [];
}

// Draw the boxes of a label or an answer, numbered where there are several; `act` is called with each box and its corners.
export function paintQuads(view, context, values, colour, width, dashes = [], act = () => {}) {
  const boxes = view.labels.boxesOf(values);
  boxes.forEach((box, at) => {
    const corners = view.labels.corners(box)?.map((each) => view.stage.camera.toStage(each));
    if (!corners) return;
    outline(context, corners, colour(at), width(at), dashes);
    act(box, corners);
    if (boxes.length < 2) return;
    const [x, y] = [0, 1].map((axis) => corners[0][axis] + 0.06 * (corners[2][axis] - corners[0][axis]));
    context.font = "bold 14px sans-serif";
    context.strokeStyle = "#000a";
    context.lineWidth = 3;
    context.strokeText(`${at + 1}`, x, y);
    context.fillStyle = colour(at);
    context.fillText(`${at + 1}`, x, y);
  });
}
