// What a person does to the picture on the screen: by key, button or mouse.
import { STATUS } from "./labels.js";

export class Actions {
  constructor(view) {
    this.view = view;
    this.nudged = "";   // what was last moved by the arrow keys
  }

  // Whether labels can be edited now; asks for the reviewer's name, and then does `act`, where it is not known.
  ready(act = () => {}) {
    if (this.view.readOnly || this.view.list.at < 0) return false;
    if (this.view.reviewer) return true;
    this.view.dialogs.askName(act);
    return false;
  }

  change(part, why, merge = false) {
    if (!this.ready(() => this.change(part, why))) return false;
    const changed = this.view.drafts.change(this.view.list.at, part, why, merge);
    if (changed) this.edited();
    return changed;
  }

  edited() {
    const { view } = this, { at } = view.list;
    view.show();
    view.pictures.rectify();
    view.timers.after("autosave", 1000 * view.about.autosave, () => { view.drafts.save(at); view.show(); });
  }

  note(text) {
    const { done } = this.view.drafts, last = done.at(-1)?.[0];
    this.change({ note: text }, "note", last?.why === "note");
  }

  mark(status) {
    const { view } = this;
    if (!this.ready(() => this.mark(status))) return;
    const fault = status === "accepted" && view.labels.fault(view.now.label);
    if (fault) return view.notify(`${fault}: put them right, or mark the picture instead; it was not accepted`);
    this.change({ status }, status === "open" ? "back to do" : STATUS[status]);
    if (status === "accepted") view.navigation.step(1);
  }

  reset(to) {
    const { item } = this.view.list;
    if (!item) return;
    if (to === "prediction" && item.unanswered) return this.view.notify("the run has no answer for this picture");
    const label = to === "prediction" ? this.view.labels.ofModel(item) : this.view.labels.ofTable(item);
    this.change({ label }, to === "prediction" ? "prediction taken" : "back to the table");
  }

  choose(name, value) {
    this.change({ label: { [name]: value } }, `${name.replace("_", " ")} set`);
  }

  travel(direction) {
    const { view } = this;
    if (view.readOnly) return;
    this.nudged = "";
    const [at] = view.drafts[direction]();
    if (at === undefined) return;
    if (at !== view.list.at) view.navigation.goTo(at);
    this.edited();
  }

  save() {
    this.view.drafts.save(this.view.list.at);
    this.view.show();
  }

  // Take the next corner, or box, in hand; the enlarged view goes there.
  hold(by) {
    const { stage, boxes, labels } = this.view;
    if (labels.boxed) boxes.next(by);
    else if (stage.editable()) stage.corner = (stage.corner + by + (stage.corner < 0 && by < 0 ? 5 : 4)) % 4;
    const corners = stage.editable();
    if (!corners) return;
    const target = labels.boxed ? corners[0].map((each, axis) => (each + corners[2][axis]) / 2) : corners[stage.corner];
    if (!stage.camera.fitted) stage.camera.centre(target);
    this.view.drawAll();
    this.view.moved();
  }

  layDown() {
    this.view.stage.corner = -1;
    this.view.boxes.pen(false);
    this.view.boxes.take(-1);
  }

  nudge([x, y]) {
    const { stage, boxes } = this.view, corners = stage.editable();
    if (!corners) return;
    const what = `${this.view.list.at} ${stage.box} ${stage.corner}`;
    const merge = this.nudged === what && performance.now() - this.nudgedAt < 1500;
    const by = stage.camera.vector([x * stage.camera.scale, y * stage.camera.scale]);
    if (stage.corner >= 0) this.move(stage.corner, corners[stage.corner].map((each, axis) => each + by[axis]), merge);
    else boxes.shift(by, merge);
    [this.nudged, this.nudgedAt] = [what, performance.now()];
  }

  move(number, [x, y], merge) {
    const { labels, boxes, list } = this.view, { width, height } = list.item;
    if (labels.boxed) return boxes.stretch(number, [x, y], merge);
    const [nameX, nameY] = labels.points[number];
    const inside = (value, size) => Math.min(1.05 * size, Math.max(-0.05 * size, value));
    this.change({ label: { [nameX]: inside(x, width), [nameY]: inside(y, height) } }, "corner moved", merge);
  }

  digit(number) {
    const { about, boxes, labels } = this.view, kind = labels.boxed && about.kinds[number - 1];
    if (kind) return boxes.name(kind);
    const [name, values] = Object.entries(about.choices)[0] ?? [];
    if (!name) return;
    const counted = typeof values[0] === "number";
    const value = counted ? (values.includes(number) ? number : number === 0 ? 10 : null) : values[number - 1];
    if (value != null && values.includes(value)) this.choose(name, value);
  }

  zoom(by, about = null) {
    const { stage, list } = this.view, held = stage.corner >= 0 && stage.editable()?.[stage.corner];
    if (!list.item) return;
    stage.camera.zoom(by, about ?? (held ? stage.camera.toStage(held) : undefined));
    this.view.moved();
  }

  fit() {
    if (!this.view.list.item) return;
    this.view.stage.camera.fit();
    this.view.moved();
  }
}
