// Windows that ask or tell something: the reviewer's name, a picture to jump to, what is accepted in bulk, the keys.
import { button, input, make } from "./dom.js";
import { keyTable, LEGEND } from "./keys.js";
import { acceptMany, sureOnes } from "./sets.js";

export class Dialogs {
  constructor(view) {
    this.view = view;
    this.node = make("dialog", "sheet");
    this.node.addEventListener("keydown", (event) => event.stopPropagation());
    this.node.addEventListener("close", () => view.root.focus({ preventScroll: true }));
    this.node.addEventListener("click", (event) => { if (event.target === this.node) this.node.close(); });
  }

  get isOpen() { return this.node.open; }

  // Show parts under a title, with buttons [text, act]; Enter presses the first.
  open(title, parts, buttons = []) {
    const form = make("form", "", "", [make("h3", "", title), ...parts]);
    form.method = "dialog";
    const nodes = buttons.map(([text, act], number) => {
      const node = button(text, text, () => { this.node.close(); act(); }, number ? "" : "main");
      return node;
    });
    form.append(make("div", "answers", "", nodes));
    form.addEventListener("submit", (event) => { event.preventDefault(); nodes[0]?.click(); });
    this.node.setAttribute("aria-label", title);
    this.node.replaceChildren(form);
    if (!this.node.open) this.node.showModal();
  }

  askName(act) {
    const field = input("your name");
    field.value = this.view.about.guess;
    this.open("Who is reviewing?", [make("p", "", "Each change is kept with its reviewer's name. Nothing was changed yet."), field],
              [["Continue", () => {
                if (!field.value.trim()) return this.view.notify("nothing was changed: a change needs its reviewer's name");
                this.view.bar.name(field.value.trim());
                act();
              }], ["Only look", () => this.view.notify("nothing was changed")]]);
    field.select();
  }

  jump() {
    const field = input("number, name or link"), { list } = this.view;
    this.open("Jump to a picture", [make("p", "", `A number from 1 to ${list.order.length} in this list, a part of a name, or a link.`), field],
              [["Go", () => this.view.navigation.jump(field.value)], ["Cancel", () => {}]]);
    field.focus();
  }

  acceptMany() {
    const { view } = this;
    if (!view.actions.ready(() => this.acceptMany())) return;
    const least = input("least confidence in percent", "", "number"), told = make("p");
    Object.assign(least, { min: 0, max: 100, step: 1, value: 90 });
    const tell = () => {
      const count = sureOnes(view, least.value / 100).length;
      told.textContent = `${count} of the ${view.list.order.length} pictures in this list are to do, and their answers are sure and `
        + "agree with their labels. Each is accepted with a revision of its own; one Undo takes all of them back.";
    };
    least.addEventListener("input", tell);
    tell();
    this.open("Accept many?", [make("label", "", "", [make("span", "", "confidence at least, %"), least]), told],
              [["Accept them", () => acceptMany(view, least.value / 100)], ["Cancel", () => {}]]);
  }

  help() {
    if (this.isOpen) return this.node.close();
    this.open("Keys", [keyTable(), make("p", "", LEGEND)], [["Close", () => {}]]);
    this.node.onkeydown = (event) => {
      if (event.key === "?") { event.preventDefault(); this.node.close(); }
    };
    this.node.addEventListener("close", () => { this.node.onkeydown = null; }, { once: true });
  }
}
