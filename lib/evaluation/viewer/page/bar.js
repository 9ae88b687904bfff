// The bar above: which pictures are shown and in which order, who reviews, and what concerns the whole page.
import { addOptions, button, fullScreen, icon, input, make, recall, remember, select } from "./dom.js";
import { exportCsv } from "./export.js";
import { STATUS } from "./labels.js";
import { buildTools } from "./tools.js";
import { ANSWERED, SORTS, WHOLE_TABLE } from "./list.js";
import { askWholeTable, compare } from "./sets.js";

const ANSWERS = [["", "any answer"], ["refused", "refused by the model"], ["doubt", "suspect label"],
                 ["apart", "other rows, class or number"]];

export class Bar {
  constructor(view) {
    this.view = view;
    this.count = button("", "jump to a number, name or link (J)", () => view.dialogs.jump(), "count");
    this.search = input("search by name", "search  /", "search");
    this.search.addEventListener("input", () => this.filter("text", this.search.value));
    this.sorter = select("order", Object.entries(SORTS).map(([name, [text]]) => [name, text]), (value) => {
      view.list.sort = value;
      view.navigation.arrange();
    });
    this.direction = button("↓", "turn the order round (Q)", () => this.reverse(), "icon");
    const statuses = [["", "any status"], ["open", "to do"], ["done", "reviewed"]];
    this.selects = {
      status: this.filterBy("status", [...statuses, ...["edited", "corrected", "accepted", "refused", "bad", "unsure"].map((name) => [name, STATUS[name]])]),
      answer: this.filterBy("answer", ANSWERS),
      split: this.filterBy("split", [[ANSWERED, "answered"], [WHOLE_TABLE, "whole table"]]),
      group: this.filterBy("group", [["", "any hole"]]),
    };
    this.clearer = button("Clear", "clear search and filters", () => this.clear(), "clear");
    this.runs = select("other run", [["", "no other run"]], (run) => compare(view, run));
    this.who = input("reviewer", "your name");
    this.who.classList.add("who");
    this.who.addEventListener("change", () => this.named());
    this.caption = make("span", "caption");
    const choose = make("div", "line", "", [
      button("‹", "previous (←)", () => view.navigation.step(-1)), this.count, button("›", "next (→)", () => view.navigation.step(1)),
      this.search, this.sorter, this.direction, ...Object.values(this.selects), this.clearer]);
    const look = make("div", "line", "", [
      buildTools(view), this.caption, make("span", "grow"), this.runs, this.who, button("CSV", "save the pictures of this list as a table", () => exportCsv(view)),
      icon("M8 1a7 7 0 1 0 0 14zM8 1a7 7 0 0 1 0 14", "dark or light (D)", () => view.dark(!view.night)),
      icon("M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4", "full screen (X)", () => fullScreen(view.root)),
      button("?", "keys (?)", () => view.dialogs.help())]);
    this.node = make("div", "bar", "", [choose, look, view.adjust.panel]);
  }

  filterBy(name, options) {
    return select(name, options, (value) => this.filter(name, value));
  }

  // The page knows its answers, runs and the reviewer now.
  open(about) {
    const { items } = this.view, add = (node, values) => addOptions(node, values.map((value) => [value, value || "–"]));
    add(this.selects.split, about.splits);
    this.addHoles(items);
    add(this.runs, about.runs);
    this.runs.style.display = about.runs.length ? "" : "none";
    if (!items.some((item) => item.queue != null)) this.sorter.querySelector("[value=queue]")?.remove();
    this.sorter.value = this.view.list.sort = about.order;
    this.who.value = about.reviewer || recall("reviewer");
    this.who.readOnly = Boolean(about.reviewer);
    this.who.style.display = about.read_only ? "none" : "";
    if (about.guess) this.who.placeholder = `your name (${about.guess}?)`;
  }

  addHoles(items) {
    const known = new Set([...this.selects.group.options].map((option) => option.value));
    const fresh = [...new Set(items.map((item) => item.group))].filter((group) => !known.has(group)).sort();
    addOptions(this.selects.group, fresh.map((group) => [group, group]));
  }

  name(who) {
    this.who.value = who;
    this.named();
  }

  named() {
    remember("reviewer", this.who.value);
    this.view.show();
  }

  filter(name, value) {
    this.view.list.filters[name] = value;
    if (name === "split" && value !== ANSWERED) askWholeTable(this.view);
    this.view.navigation.arrange();
  }

  clear() {
    this.view.list.clear();
    this.search.value = "";
    for (const node of Object.values(this.selects)) node.value = "";
    this.view.navigation.arrange();
    this.view.root.focus({ preventScroll: true });
  }

  reverse() {
    this.view.list.backwards = !this.view.list.backwards;
    this.view.navigation.arrange();
  }

  show() {
    const { list, items } = this.view;
    this.count.textContent = list.item ? `${list.place + 1} of ${list.order.length}` : `none of ${items.length}`;
    this.direction.textContent = list.backwards ? "↑" : "↓";
    this.direction.setAttribute("aria-label", `order: ${list.backwards ? "turned round" : "as named"}`);
    this.clearer.disabled = !list.isFiltered;
    this.caption.textContent = list.item ? this.hole(list) : "";
  }

  // The hole in sight, and which of its pictures in the list this is.
  hole({ item, at, order }) {
    const same = order.filter((each) => this.view.items[each].group === item.group);
    return `${item.group || "no hole"} · ${same.indexOf(at) + 1} of ${same.length} · ${item.split}`;
  }
}
