// The keys: what each does, and the list of them.
import { fullScreen, make } from "./dom.js";

export const KEYS = [
  ["→  ←", "next, previous picture (a corner in hand: one pixel, with Shift ten)"],
  ["PageDown  PageUp", "next, previous picture, whatever is in hand"],
  ["Home  End", "first, last picture"],
  ["J", "jump to a picture by its number, name or link"],
  ["Enter", "accept the label as it stands, and go on"],
  ["R", "mark: not usable (no whole box), the model is to refuse"],
  ["B", "mark: bad picture"],
  ["U", "mark: unsure"],
  ["O", "back to do: take acceptance or mark back"],
  ["M", "accept many: all sure answers that agree with their labels"],
  ["N", "write a note"],
  ["S", "save now"],
  ["Ctrl Z  Ctrl Y", "undo, redo, in earlier pictures too (also Z and Y)"],
  ["Tab  C", "take the next corner, or box, in hand; an enlarged view goes there"],
  ["Esc", "lay the corner down"],
  ["1 … 9  0", "set the rows of core (0: ten), or the class"],
  ["E  Shift E", "several boxes: choose the next, the previous one (also by a click in it)"],
  ["A  Shift drag", "boxes: draw a new one"],
  ["Delete", "boxes: remove the chosen one"],
  ["P", "label as the model predicts"],
  ["T", "label as the table has it"],
  ["wheel  + −", "zoom (wheel: once the viewer was clicked); it stays for the next pictures"],
  ["drag", "move the picture; with Alt on a corner: an eighth as far"],
  ["F  G", "whole picture, full resolution"],
  ["V  Shift V", "turn the view by a quarter, clockwise or back"],
  ["L  Shift L", "gamma up, down: dark core becomes readable"],
  ["I  Shift I", "brightness up, down"],
  ["K  Shift K", "contrast up, down"],
  ["W", "brightness, contrast and gamma as they are"],
  ["H", "hide or show the lines"],
  ["/", "search by name"],
  ["Q", "turn the order round"],
  ["D", "dark or light page"],
  ["X", "full screen"],
  ["?", "this list"],
];
export const LEGEND = "Red: the model. White: the label. Blue: the label as changed (dashed: the table's); yellow: the corner "
  + "in hand; violet: another reviewer's; orange: the other run's; pink: corners that cross.";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Keys {
  constructor(view) {
    this.view = view;
    const { actions, stage, boxes, dialogs, adjust } = view;
    const go = (place) => () => view.navigation.go(place());
    this.plain = {
      ArrowRight: () => view.navigation.step(1), ArrowLeft: () => view.navigation.step(-1), PageDown: () => view.navigation.step(1), PageUp: () => view.navigation.step(-1),
      Home: go(() => 0), End: go(() => view.list.order.length - 1), Enter: () => actions.mark("accepted"),
      c: () => view.hand.hold(1), Escape: () => view.hand.layDown(), a: () => boxes.pen(),
      Delete: () => this.remove(), Backspace: () => this.remove(), e: () => view.quads.next(1),
      p: () => actions.reset("prediction"), t: () => actions.reset("table"), r: () => actions.mark("refused"),
      b: () => actions.mark("bad"), u: () => actions.mark("unsure"), o: () => actions.mark("open"), m: () => dialogs.acceptMany(),
      n: () => view.side.note.focus(), s: () => actions.save(), z: () => actions.travel("undo"), y: () => actions.travel("redo"),
      "+": () => view.stage.zoom(1.25), "=": () => view.stage.zoom(1.25), "-": () => view.stage.zoom(0.8), f: () => view.stage.fit(),
      g: () => view.stage.zoom(1 / stage.camera.scale / devicePixelRatio), v: () => view.turn(1),
      l: () => adjust.step("gamma", true), i: () => adjust.step("brightness", true), k: () => adjust.step("contrast", true),
      w: () => adjust.reset(), h: () => view.toggleLines(),
      "/": () => view.bar.search.focus(), j: () => dialogs.jump(), q: () => view.bar.reverse(), d: () => view.dark(!view.night),
      x: () => fullScreen(view.root), "?": () => dialogs.help(),
    };
    this.shifted = { v: () => view.turn(-1), e: () => view.quads.next(-1), l: () => adjust.step("gamma", false), i: () => adjust.step("brightness", false),
                     k: () => adjust.step("contrast", false) };
    this.control = { z: () => actions.travel("undo"), y: () => actions.travel("redo"), s: () => actions.save() };
  }

  press(event) {
    event.stopPropagation();
    if (!this.view.about || event.target.closest("dialog")) return;   // a dialog has the keys for itself
    if (["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName)) return this.inField(event);
    if (!this.does(event)) return;
    event.preventDefault();
    this.view.pressedAt = event.timeStamp;
  }

  inField(event) {
    if (event.key !== "Escape" && !(event.key === "Enter" && event.target.tagName === "INPUT")) return;
    this.view.root.focus({ preventScroll: true });
    event.preventDefault();
  }

  // Do what a key stands for; false: nothing, the browser may have it.
  does(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key, { actions, stage } = this.view;
    if (event.ctrlKey || event.metaKey) return run(key === "z" && event.shiftKey ? this.control.y : this.control[key]);
    if (event.altKey) return false;
    if (key in ARROWS && (stage.corner >= 0 || stage.box >= 0)) {
      return run(() => this.view.hand.nudge(ARROWS[key].map((by) => by * (event.shiftKey ? 10 : 1))));
    }
    if (key === "Tab") return this.tab(event.shiftKey ? -1 : 1, event.target);
    if (/^[0-9]$/.test(key)) return run(() => actions.digit(Number(key)));
    const onButton = event.target.tagName === "BUTTON" && !event.target.classList.contains("handle");
    if (onButton && (key === "Enter" || key === " ")) return false;
    return run(event.shiftKey && this.shifted[key] || this.plain[key]);
  }

  remove() { (this.view.labels.boxed ? this.view.boxes : this.view.quads).remove(); }

  // From the last corner or box on, Tab leaves the picture as it leaves anything else.
  tab(by, target) {
    const { stage, boxes, labels, readOnly } = this.view;
    const [held, count] = labels.boxed ? [stage.box, boxes.all.length] : [stage.corner, stage.editable() ? 4 : 0];
    const onPicture = target === this.view.root || target.classList.contains("handle");
    const last = (by > 0 ? held + 1 >= count : held === 0) && !(stage.corner >= 0 && this.view.hand.leavesBox(by));
    if (readOnly || !count || last || !onPicture) return this.view.hand.layDown() ?? false;
    return run(() => this.view.hand.hold(by));
  }
}

function run(act) {
  act?.();
  return Boolean(act);
}

export function keyTable() {
  return make("table", "", "", KEYS.map(([keys, text]) => make("tr", "", "", [
    make("td", "", "", keys.split("  ").map((key) => make("kbd", "", key))), make("td", "", text)])));
}
