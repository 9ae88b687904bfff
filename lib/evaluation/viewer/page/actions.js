// What a person does to the picture on the screen: by key, button or mouse.
import { STATUS } from "./labels.js";

export class Actions {
  constructor(view) {
    this.view = view;
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
    const changed = this.view.drafts.history.change(this.view.list.at, part, why, merge);
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
    const { done } = this.view.drafts.history, last = done.at(-1)?.[0];
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
    this.view.quads.change({ [name]: value }, `${name.replace("_", " ")} set`);
  }

  travel(direction) {
    const { view } = this;
    if (view.readOnly) return;
    view.hand.nudged = "";
    const [at] = view.drafts.history[direction]();
    if (at === undefined) return;
    if (at !== view.list.at) view.navigation.goTo(at);
    this.edited();
  }

  save() {
    this.view.drafts.save(this.view.list.at);
    this.view.show();
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
}
