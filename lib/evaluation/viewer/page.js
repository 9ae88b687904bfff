// The viewer's page, drawn in the browser: one canvas, handles for the corners, panels beside it.
// It asks the kernel by messages ({do: …}) and keeps what it was sent; texts are set as text, never as markup.

const KEYS = [
  ["→  ←", "next, previous picture (a corner in hand: one pixel, with Shift ten)"],
  ["PageDown  PageUp", "next, previous picture, whatever is in hand"],
  ["Home  End", "first, last picture"],
  ["Enter", "accept the label as it stands, and go on"],
  ["Tab  C", "take the next corner, or box, in hand"],
  ["Esc", "lay the corner down"],
  ["1 … 9  0", "set the rows of core (0: ten), or the class"],
  ["A  Shift drag", "boxes: draw a new one"],
  ["Delete", "boxes: remove the one in hand"],
  ["P", "label as the model predicts"],
  ["T", "label as the table has it"],
  ["R", "mark: not usable (no whole box), the model is to refuse"],
  ["B", "mark: bad picture"],
  ["U", "mark: unsure"],
  ["N", "write a note"],
  ["S", "save now"],
  ["Ctrl Z  Ctrl Y", "undo, redo (also Z and Y)"],
  ["wheel  + −", "zoom (wheel: once the viewer was clicked)"],
  ["drag", "move the picture; with Alt on a corner: an eighth as far"],
  ["F  G", "whole picture, full resolution"],
  ["H", "hide or show the lines"],
  ["/", "search by name"],
  ["D", "dark or light"],
  ["X", "full screen"],
  ["?", "this list"],
];
const STATUS = { "": "to do", accepted: "accepted", corrected: "corrected", refused: "not usable", bad: "bad picture",
                 unsure: "unsure" };
const MARKS = [["accepted", "Accept", "Enter"], ["refused", "Not usable", "R"], ["bad", "Bad picture", "B"],
               ["unsure", "Unsure", "U"]];
const SORTS = {
  rank: ["worst first", null],
  surprise: ["suspect labels", (item) => -(item.surprise ?? -1)],
  queue: ["to label next", (item) => item.queue ?? Infinity],
  radius: ["largest radius", (item) => -Math.max(-1, ...(item.answer.radius ?? []))],
  confidence: ["least confident", (item) => item.answer.confidence ?? 2],
  name: ["name", (item) => item.image],
  group: ["group", (item) => item.group],
  recent: ["last corrected", null],
};
const THUMB = 104;      // px from one thumbnail to the next
const AHEAD = [0, 1, 2, -1, 3, 4, 5, 6];   // pictures that are fetched, seen from the present one
const ASKED = 3;        // pictures asked for at a time

function make(name, className = "", text = "", parts = []) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  node.append(...parts);
  return node;
}

function button(text, title, act, className = "") {
  const node = make("button", className, text);
  node.type = "button";
  node.title = title;
  node.addEventListener("click", act);
  return node;
}

function icon(path, title, act) {
  const node = button("", title, act, "icon"), space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg"), line = document.createElementNS(space, "path");
  picture.setAttribute("viewBox", "0 0 16 16");
  line.setAttribute("d", path);
  picture.append(line);
  node.append(picture);
  node.setAttribute("aria-label", title);
  return node;
}

function select(label, options, changed) {
  const node = make("select");
  node.setAttribute("aria-label", label);
  node.title = label;
  for (const [value, text] of options) {
    const option = make("option", "", text);
    option.value = value;
    node.append(option);
  }
  node.addEventListener("change", () => {
    changed(node.value);
    node.closest(".corebox").focus({ preventScroll: true });
  });
  return node;
}

function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const short = (value) => typeof value !== "number" ? `${value ?? "–"}`
  : Number.isInteger(value) || Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3);
const clock = (iso) => new Date(iso).toLocaleString([], { dateStyle: "short", timeStyle: "short" });

class View {
  constructor(model, el) {
    this.model = model;
    this.id = uuid();
    this.items = [];
    this.order = [];
    this.place = 0;
    this.revisions = new Map();   // by source: the newest
    this.drafts = new Map();      // by number of the item: what is edited
    this.bitmaps = new Map();     // by number: the copy that is looked at
    this.broken = new Map();      // by number: why there is none
    this.asked = new Set();
    this.thumbs = new Map();
    this.pieces = {};             // by use: {at, rect, bitmap}
    this.scale = 1; this.left = 0; this.top = 0; this.fitted = true;
    this.corner = -1;
    this.held = -1;               // which box is in hand
    this.pointer = null;
    this.lines = true;
    this.seen = performance.now();
    this.times = [];
    this.filters = { status: "", split: "", group: "", answer: "", text: "" };
    this.sort = "rank";
    this.build(el);
    this.hear = this.hear.bind(this);
    model.on("msg:custom", this.hear);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.stage);
    this.say({ do: "open" });
  }

  close() {
    this.leave();
    this.model.off("msg:custom", this.hear);
    this.watch.disconnect();
    clearInterval(this.clock);
    clearTimeout(this.later);
    for (const address of this.thumbs.values()) if (address) URL.revokeObjectURL(address);
  }

  say(message) {
    this.model.send({ view: this.id, ...message });
  }

  // --- the page

  build(el) {
    this.root = make("div", "corebox");
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "application");
    this.root.setAttribute("aria-label", "verification viewer");
    this.root.dataset.lmSuppressShortcuts = "true";   // JupyterLab keeps its own keys to itself here
    this.dark(this.isDark());
    this.bar = this.buildBar();
    this.stage = this.buildStage();
    this.side = this.buildSide();
    this.strip = make("div", "strip");
    this.rail = make("div", "rail");
    this.strip.append(this.rail);
    this.strip.addEventListener("scroll", () => this.drawStrip());
    this.done = make("div", "done");
    this.tally = make("span", "tally");
    this.kept = make("span", "tally");
    this.state = make("span", "state");
    this.state.setAttribute("role", "status");
    this.foot = make("div", "foot", "", [make("div", "progress", "", [this.done]), this.tally, make("span", "grow"),
                                         this.kept, this.state]);
    this.help = this.buildHelp();
    this.root.append(this.bar, make("div", "middle", "", [this.stage, this.side]), this.strip, this.foot, this.help);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("keyup", (event) => event.stopPropagation());
    this.root.addEventListener("contextmenu", (event) => event.stopPropagation());
    el.append(this.root);
    // On a page of its own the keys are the viewer's at once; beside a notebook's cells, when it is clicked.
    requestAnimationFrame(() => document.activeElement === document.body && this.root.focus({ preventScroll: true }));
  }

  buildBar() {
    this.count = make("span", "count");
    this.search = make("input");
    this.search.type = "search";
    this.search.placeholder = "search  /";
    this.search.setAttribute("aria-label", "search by name");
    this.search.addEventListener("input", () => this.filter("text", this.search.value));
    this.sorter = select("order", Object.entries(SORTS).map(([name, [text]]) => [name, text]), (value) => {
      this.sort = value;
      this.arrange();
    });
    this.statuses = select("status", [["", "any status"], ["open", "to do"], ["done", "reviewed"],
      ...["corrected", "accepted", "refused", "bad", "unsure"].map((name) => [name, STATUS[name]])],
      (value) => this.filter("status", value));
    this.answers = select("answer", [["", "any answer"], ["refused", "refused by the model"], ["doubt", "suspect label"],
      ["apart", "other rows, class or number"]], (value) => this.filter("answer", value));
    this.splits = select("split", [["", "any split"]], (value) => this.filter("split", value));
    this.groups = select("group", [["", "any group"]], (value) => this.filter("group", value));
    this.who = make("input", "who");
    this.who.placeholder = "your name";
    this.who.setAttribute("aria-label", "reviewer");
    this.who.addEventListener("change", () => {
      try { localStorage.setItem("corebox-reviewer", this.who.value); } catch { /* private windows have no store */ }
      this.who.classList.remove("wanted");
      for (const at of this.drafts.keys()) if (this.dirty(at)) this.save(at);
      this.show();
    });
    return make("div", "bar", "", [
      button("‹", "previous (←)", () => this.step(-1)), this.count, button("›", "next (→)", () => this.step(1)),
      this.search, this.sorter, this.statuses, this.answers, this.splits, this.groups, make("span", "grow"),
      this.who, icon("M8 1a7 7 0 1 0 0 14zM8 1a7 7 0 0 1 0 14", "dark or light (D)", () => this.dark(!this.night)),
      icon("M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4", "full screen (X)", () => this.full()),
      button("?", "keys (?)", () => this.toggleHelp())]);
  }

  buildStage() {
    this.canvas = make("canvas");
    this.handles = [0, 1, 2, 3].map((number) => {
      const node = make("button", "handle");
      node.type = "button";
      node.tabIndex = -1;
      node.setAttribute("aria-label", `corner ${number + 1}`);
      node.addEventListener("pointerdown", (event) => this.grab(event, number));
      return node;
    });
    this.banner = make("div", "banner");
    this.message = make("div", "message");
    this.label = make("div", "chips");
    const stage = make("div", "stage", "", [this.canvas, ...this.handles, this.label, this.banner, this.message]);
    stage.addEventListener("pointerdown", (event) => this.boxed && this.press(event) || this.pan(event));
    stage.addEventListener("pointermove", (event) => this.hover(event));
    stage.addEventListener("pointerleave", () => { this.pointer = null; this.later1("loupe", () => this.drawLoupe()); });
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => { if (event.target === this.canvas) this.fit(); });
    return stage;
  }

  buildSide() {
    this.title = make("div", "title");
    this.facts = make("div", "facts");
    this.loupe = make("canvas", "loupe");
    this.loupeText = make("span");
    this.box = make("canvas", "box");
    this.boxText = make("span");
    this.choices = make("div", "choices");
    this.marks = MARKS.map(([status, text, key]) => {
      const node = button(text, `${STATUS[status]} (${key})`, () => this.mark(status), `mark ${status}`);
      node.append(make("kbd", "", key));
      return node;
    });
    const tool = (text, title, key, act) => {
      const node = button(text, title, act);
      node.append(make("kbd", "", key));
      return node;
    };
    this.undoButton = tool("Undo", "take the last change back", "Z", () => this.undo());
    this.redoButton = tool("Redo", "do it again", "Y", () => this.redo());
    this.note = make("textarea");
    this.note.placeholder = "note  N";
    this.note.rows = 2;
    this.note.maxLength = 4000;
    this.note.setAttribute("aria-label", "note");
    this.note.addEventListener("change", () => this.change({ note: this.note.value }, "note"));
    this.past = make("div", "past");
    this.edits = make("div", "edits", "", [
      this.choices,
      make("div", "tools", "", [
        tool("Prediction", "label as the model predicts", "P", () => this.reset("prediction")),
        tool("Table", "label as the table has it", "T", () => this.reset("table")),
        this.undoButton, this.redoButton]),
      make("div", "marks", "", this.marks), this.note]);
    return make("aside", "side", "", [this.title,
      make("div", "panels", "", [
        make("figure", "", "", [this.loupe, make("figcaption", "", "", [this.loupeText])]),
        make("figure", "", "", [this.box, make("figcaption", "", "", [this.boxText])])]),
      this.edits, this.facts, make("h4", "", "History"), this.past]);
  }

  buildHelp() {
    const rows = KEYS.map(([keys, text]) => make("tr", "", "", [
      make("td", "", "", keys.split("  ").map((key) => make("kbd", "", key))), make("td", "", text)]));
    const help = make("div", "help", "", [make("div", "sheet", "", [
      make("h3", "", "Keys"), make("table", "", "", rows),
      make("p", "", "Red: the model. White: the label. Blue: the label as changed (dashed: the table's); yellow: the corner in hand; violet: another reviewer's.")])]);
    help.addEventListener("click", () => this.toggleHelp());
    return help;
  }

  isDark() {
    const lab = document.body.dataset.jpThemeLight;
    return lab ? lab === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  dark(night) {
    this.night = night;
    this.root.classList.toggle("dark", night);
    if (this.canvas) { this.draw(); this.drawBox(); }
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }

  toggleHelp() {
    this.help.classList.toggle("open");
    this.root.focus({ preventScroll: true });
  }

  later1(name, act, wait = 0) {
    this.timers ??= {};
    if (wait) {
      clearTimeout(this.timers[name]);
      this.timers[name] = setTimeout(act, wait);
    } else if (!this.timers[name]) {
      this.timers[name] = requestAnimationFrame(() => { this.timers[name] = 0; act(); });
    }
  }

  // --- what the kernel says

  hear(message, buffers) {
    if (message.view && message.view !== this.id) return;
    const heard = `hear_${message.do}`;
    if (message.error && !this[heard + "_error"]) this.trouble(message.error);
    else if (message.error) this[heard + "_error"](message);
    else this[heard]?.(message, buffers ?? []);
  }

  hear_open(message) {
    Object.assign(this, { items: message.items, about: message });
    this.readOnly = message.read_only;
    this.root.classList.toggle("read-only", this.readOnly);
    this.names = message.points;
    this.boxed = message.edit === "boxes";
    if (!this.items.some((item) => item.queue != null)) this.sorter.querySelector("[value=queue]")?.remove();
    this.sorter.value = this.sort = message.order;
    this.box.parentNode.style.display = this.names.length ? "" : "none";
    let name = "";
    try { name = localStorage.getItem("corebox-reviewer") ?? ""; } catch { /* see buildBar */ }
    this.who.value = message.reviewer || name;
    this.who.readOnly = Boolean(message.reviewer);
    this.who.style.display = this.readOnly ? "none" : "";
    this.who.placeholder = message.guess ? `your name (${message.guess}?)` : "your name";
    for (const [node, field] of [[this.splits, "split"], [this.groups, "group"]]) {
      for (const value of [...new Set(this.items.map((item) => item[field]))].sort()) {
        const option = make("option", "", value || "–");
        option.value = value;
        node.append(option);
      }
    }
    this.buildChoices();
    this.learn(message);
    this.arrange();
    this.say({ do: "retry" });
    this.clock = setInterval(() => { if (!document.hidden) this.say({ do: "updates", last: this.last }); },
                             1000 * message.refresh);
  }

  hear_open_error(message) {
    this.message.textContent = message.error;
  }

  learn(message) {
    this.offline = message.offline ?? "";
    if (message.place) this.keptIn = message.place;
    for (const revision of message.revisions) this.take(revision);
    this.last = Math.max(0, ...[...this.revisions.values()].map((revision) => revision.id));
  }

  take(revision) {
    const known = this.revisions.get(revision.source);
    if (!known || known.number < revision.number) this.revisions.set(revision.source, revision);
    this.last = Math.max(this.last ?? 0, revision.id);
  }

  hear_updates(message) {
    const before = this.item && this.revisions.get(this.item.source)?.id;
    for (const revision of message.revisions) this.meet(revision);
    this.learn(message);
    if (before !== (this.item && this.revisions.get(this.item.source)?.id)) this.show();
    else this.showCounts();
  }

  meet(revision) {
    const at = this.items.findIndex((item) => item.source === revision.source), draft = this.drafts.get(at);
    if (!draft || draft.sending || draft.sent?.edit === revision.edit) return;
    if (this.dirty(at)) draft.conflict = revision;
    else this.drafts.delete(at);   // its undo would take back what is not ours
  }

  hear_picture(message, buffers) {
    createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" })).then((bitmap) => {
      this.asked.delete(message.at);
      this.broken.delete(message.at);
      this.bitmaps.set(message.at, bitmap);
      if (message.at === this.at) { this.showMessage(); this.draw(); this.detail(); }
      this.fetch();
    }, () => this.hear_picture_error({ ...message, error: "the browser cannot show this picture" }));
  }

  hear_picture_error(message) {
    this.asked.delete(message.at);
    this.broken.set(message.at, message.error);
    if (message.at === this.at) { this.showMessage(); this.draw(); }
    this.fetch();
  }

  hear_thumbnails(message, buffers) {
    message.many.forEach((at, number) => {
      const bytes = buffers[number];
      this.thumbs.set(at, bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "");
    });
    this.drawStrip();
  }

  hear_crop(message, buffers) {
    createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" })).then((bitmap) => {
      this.pieces[message.tag] = { at: message.at, rect: message.rect, bitmap };
      if (message.at !== this.at) return;
      if (message.tag === "stage") this.draw();
      else this.drawLoupe();
    });
  }

  hear_crop_error() { /* the copy is shown; why the picture cannot be read, the picture's own message says */ }

  hear_rectify(message, buffers) {
    createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" })).then((bitmap) => {
      this.rectified = { at: message.at, bitmap };
      this.boxAsked = false;
      this.drawBox();
      if (this.boxAgain) this.rectify();
    });
  }

  hear_rectify_error(message) {
    this.boxAsked = false;
    if (message.at === this.at) { this.rectified = null; this.boxText.textContent = message.error; this.drawBox(); }
    if (this.boxAgain) this.rectify();
  }

  hear_history(message) {
    if (message.at === this.at) this.showPast(message.revisions);
  }

  hear_saved(message) {
    this.take(message.revision);
    this.offline = "";
    const at = this.items.findIndex((item) => item.source === message.source);
    const draft = this.drafts.get(at);
    if (draft?.sending === message.edit) {
      draft.sending = "";
      draft.waiting = draft.conflict = null;
      draft.refused = "";
    }
    if (at === this.at) { this.show(); this.say({ do: "history", at }); }
    else this.showCounts();
    if (draft && this.dirty(at)) this.autosave();
    this.drawStrip();
  }

  hear_waiting(message) {
    const draft = this.pending(message.edit) ?? this.restore(message);
    if (draft) { draft.waiting = message.text; this.showState(); }
  }

  hear_conflict(message) {
    this.take(message.revision);
    const draft = this.pending(message.edit) ?? this.restore(message);
    if (draft) { draft.conflict = message.revision; draft.waiting = null; }
    this.show();
    this.drawStrip();
  }

  hear_refused(message) {
    const draft = this.pending(message.edit);
    if (draft) { draft.sending = ""; draft.refused = message.text; this.showState(); }
    this.trouble(message.text);
  }

  hear_save_error(message) {
    this.hear_refused({ edit: message.edit, text: message.error });
  }

  restore({ change }) {
    const at = this.items.findIndex((item) => item.source === change.source);
    if (at < 0 || this.drafts.has(at) || change.who !== this.who.value.trim()) return null;
    this.trouble(`${this.items[at].image}: your correction of an earlier visit is not saved yet`);
    const now = { label: { ...this.truth(this.items[at]), ...change.label }, status: change.status, note: change.note };
    const draft = { now, undo: [this.base(at)], redo: [], why: change.why, sending: change.edit,
                    sent: { ...now, edit: change.edit }, seconds: 0 };
    this.drafts.set(at, draft);
    return draft;
  }

  pending(edit) {
    return [...this.drafts.values()].find((draft) => draft.sending === edit);
  }

  trouble(text) {
    const node = make("div", "toast", text);
    node.setAttribute("role", "alert");
    this.root.append(node);
    setTimeout(() => node.remove(), 9000);
  }

  // --- which pictures, in which order

  get at() { return this.order[this.place] ?? -1; }
  get item() { return this.items[this.at]; }

  filter(name, value) {
    this.filters[name] = value;
    this.arrange();
  }

  fits(item) {
    const { status, split, group, answer, text } = this.filters;
    if (text && !`${item.image} ${item.source}`.toLowerCase().includes(text.toLowerCase())) return false;
    if (split && item.split !== split || group && item.group !== group) return false;
    const is = this.statusOf(item);
    if (status === "open" && is || status === "done" && !is) return false;
    if (status && !["open", "done", is].includes(status)) return false;
    if (answer === "refused" && !item.answer.refused) return false;
    if (answer === "doubt" && !(item.surprise > 1)) return false;
    return answer !== "apart" || Object.keys(this.about.choices).some((name) => item.truth?.[name] !== item.answer[name])
      || this.boxed && item.truth?.boxes.length !== item.answer.boxes.length;
  }

  statusOf(item) {
    const revision = this.revisions.get(item.source);
    if (!revision) return "";
    return revision.status === "accepted" && !same(this.rounded(revision.label), this.rounded(this.truth(item)))
      ? "corrected" : revision.status;
  }

  rounded(label) {
    const plain = (value) => Array.isArray(value) ? value.map(plain) : typeof value === "number" ? Math.round(value * 1e4) : value;
    return Object.keys(label ?? {}).sort().map((name) => [name, plain(label[name])]);
  }

  arrange() {
    const started = performance.now();
    const present = this.at;
    let order = this.items.map((_, at) => at).filter((at) => this.fits(this.items[at]));
    if (this.sort === "recent") {
      const id = (at) => -(this.revisions.get(this.items[at].source)?.id ?? 0);
      order.sort((one, other) => id(one) - id(other) || one - other);
    } else if (SORTS[this.sort][1]) {
      const keys = new Map(order.map((at) => [at, SORTS[this.sort][1](this.items[at])]));
      order.sort((one, other) => {
        const [a, b] = [keys.get(one), keys.get(other)];
        return (a < b ? -1 : a > b ? 1 : 0) || one - other;
      });
    }
    this.leave();
    this.order = order;
    this.place = Math.max(0, order.indexOf(present));
    this.came();
    this.root.dataset.filterMs = (performance.now() - started).toFixed(1);
  }

  step(by) {
    this.go(this.order.length ? (this.place + by + this.order.length) % this.order.length : 0);
  }

  go(place) {
    this.leave();
    this.place = place;
    this.came();
  }

  leave() {
    if (this.at < 0) return;
    if (document.activeElement === this.note) this.change({ note: this.note.value }, "note");
    if (this.dirty(this.at)) this.save(this.at);
  }

  came() {
    this.seen = performance.now();
    this.corner = this.held = -1;
    this.drawing = false;
    this.rectified = null;
    this.pieces = {};
    this.past.replaceChildren();
    this.fitted = true;
    this.place0();
    this.show();
    this.fetch();
    this.rectify();
    this.root.dataset.at = this.place;
    this.root.dataset.image = this.item?.image ?? "";
    const at = this.at;
    this.later1("dwell", () => { if (at === this.at && at >= 0) { this.detail(true); this.say({ do: "history", at }); } }, 500);
    this.scrollStrip();
  }

  fetch() {
    if (!this.order.length) return;
    const near = AHEAD.map((by) => this.order[(this.place + by + this.order.length) % this.order.length]);
    for (const at of near) {
      if (this.asked.size >= ASKED) break;
      if (this.bitmaps.has(at) || this.asked.has(at) || this.broken.has(at)) continue;
      this.asked.add(at);
      this.say({ do: "picture", at });
    }
    for (const [at, bitmap] of this.bitmaps) {
      if (this.bitmaps.size <= 20) break;
      if (!near.includes(at)) { bitmap.close(); this.bitmaps.delete(at); }
    }
  }

  // --- labels and what is changed of them

  truth(item) {
    const names = [...this.names.flat(), ...Object.keys(this.about.choices), ...(this.boxed ? ["boxes"] : [])];
    return Object.fromEntries(names.map((name) => [name, item.truth?.[name] ?? item.answer[name] ?? null]));
  }

  base(at) {
    const item = this.items[at];
    const revision = this.revisions.get(item.source);
    return revision ? { label: { ...this.truth(item), ...revision.label }, status: revision.status, note: revision.note }
                    : { label: this.truth(item), status: "", note: "" };
  }

  draft(at) {
    let draft = this.drafts.get(at);
    if (!draft || !draft.sending && !draft.undo.length && !draft.redo.length) {
      draft = { now: this.base(at), undo: [], redo: [], why: "", sending: "", sent: null, seconds: draft?.seconds ?? 0 };
      this.drafts.set(at, draft);
    }
    return draft;
  }

  now(at) {
    const draft = this.drafts.get(at);
    return draft && (draft.sending || draft.undo.length || draft.redo.length) ? draft.now : this.base(at);
  }

  settled(state, at) {
    return { ...state, status: state.status || this.base(at).status };
  }

  dirty(at) {
    if (at < 0 || this.readOnly) return false;
    const draft = this.drafts.get(at);
    if (!draft || draft.conflict) return Boolean(draft?.conflict);
    return !same(this.comparable(draft.now, at), this.comparable(draft.sending ? draft.sent : this.base(at), at));
  }

  comparable(state, at) {
    const settled = this.settled(state, at);
    return [this.rounded(settled.label), settled.status, settled.note];
  }

  change(part, why, merge = false) {
    if (this.readOnly || this.at < 0) return;
    const draft = this.draft(this.at);
    const now = { ...draft.now, ...part, label: { ...draft.now.label, ...part.label } };
    if (same(now, draft.now)) return;
    if (!merge) draft.undo.push(draft.now);
    draft.redo = [];
    draft.now = now;
    draft.why = why;
    draft.refused = "";
    this.edited();
  }

  edited() {
    this.show();
    this.rectify();
    this.autosave();
  }

  undo() { this.travel("undo", "redo"); }
  redo() { this.travel("redo", "undo"); }

  travel(from, to) {
    const draft = this.drafts.get(this.at);
    if (this.readOnly || !draft?.[from].length) return;
    draft[to].push(draft.now);
    draft.now = draft[from].pop();
    draft.why = from === "undo" ? "undone" : "redone";
    this.nudged = -1;
    this.edited();
  }

  mark(status) {
    if (this.readOnly || this.at < 0) return;
    this.change({ status }, STATUS[status]);
    if (status === "accepted") this.step(1);
  }

  reset(to) {
    if (this.at < 0) return;
    const from = to === "prediction" ? this.item.answer : this.truth(this.item);
    const label = Object.fromEntries(Object.keys(this.truth(this.item)).filter((name) => from[name] != null)
      .map((name) => [name, from[name]]));
    this.change({ label }, to === "prediction" ? "prediction taken" : "back to the table");
  }

  choose(name, value) {
    this.change({ label: { [name]: value } }, `${name.replace("_", " ")} set`);
  }

  autosave() {
    const at = this.at;
    this.later1("autosave", () => { if (this.dirty(at)) this.save(at); }, 1000 * this.about.autosave);
  }

  save(at, anyway = false) {
    const draft = this.drafts.get(at);
    if (!this.dirty(at) || this.readOnly || draft.conflict && !anyway) return this.showState();
    if (!this.who.value.trim()) {
      this.who.classList.add("wanted");
      return this.showState();
    }
    this.who.classList.remove("wanted");
    const base = this.base(at), item = this.items[at], edit = uuid();
    const status = this.settled(draft.now, at).status || "accepted";
    draft.seconds += (performance.now() - this.seen) / 1000;
    this.times.push(draft.seconds);
    this.say({ do: "save", at, edit, number: (this.revisions.get(item.source)?.number ?? 0) + 1, status,
               label: draft.now.label, was: item.truth || this.revisions.has(item.source) ? base.label : null, note: draft.now.note, who: this.who.value.trim(),
               why: draft.conflict ? `on top of ${draft.conflict.who}'s` : draft.why, replaces: draft.sending,
               seconds: Math.round(draft.seconds * 10) / 10 });
    Object.assign(draft, { sending: edit, sent: { ...draft.now, status, edit }, conflict: null, refused: "", seconds: 0 });
    draft.now = { ...draft.now, status };
    this.seen = performance.now();
    this.show();
    setTimeout(() => {
      if (draft.sending !== edit || draft.waiting || draft.conflict) return;
      draft.waiting = "the kernel does not answer: it is busy, or was stopped; then run the cell again";
      this.showState();
    }, 12_000);
  }

  settle(mine) {
    const draft = this.drafts.get(this.at);
    if (!draft?.conflict) return;
    if (mine) return this.save(this.at, true);
    if (draft.sending) this.say({ do: "discard", edit: draft.sending });
    draft.undo.push(draft.now);
    Object.assign(draft, { sending: "", conflict: null, now: this.base(this.at) });
    this.edited();
  }

  // --- keys and mouse

  key(event) {
    event.stopPropagation();
    const typing = ["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName);
    if (typing) {
      if (event.key === "Escape" || event.key === "Enter" && event.target.tagName === "INPUT") {
        this.root.focus({ preventScroll: true });
        event.preventDefault();
      }
      return;
    }
    if (this.command(event)) {
      event.preventDefault();
      this.pressed = event.timeStamp;
    }
  }

  command(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") return event.shiftKey ? this.redo() ?? true : this.undo() ?? true;
      if (key === "y") return this.redo() ?? true;
      if (key === "s") return this.save(this.at) ?? true;
      return false;
    }
    if (event.altKey) return false;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (key in arrows && (this.corner >= 0 || this.held >= 0)) {
      this.nudge(arrows[key].map((by) => by * (event.shiftKey ? 10 : 1)));
      return true;
    }
    if (key === "Tab") return this.tab(event.shiftKey ? -1 : 1, event.target);
    if (/^[0-9]$/.test(key)) return this.digit(Number(key));
    const does = {
      ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1), PageDown: () => this.step(1),
      PageUp: () => this.step(-1), Home: () => this.go(0), End: () => this.go(this.order.length - 1),
      Enter: () => this.mark("accepted"), c: () => this.hold(1),
      Escape: () => this.escape(), a: () => this.pen(), Delete: () => this.remove(), Backspace: () => this.remove(), p: () => this.reset("prediction"), t: () => this.reset("table"),
      r: () => this.mark("refused"), b: () => this.mark("bad"), u: () => this.mark("unsure"),
      n: () => this.note.focus(), s: () => this.save(this.at), z: () => this.undo(), y: () => this.redo(),
      "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), f: () => this.fit(),
      g: () => this.zoom(1 / this.scale / devicePixelRatio),
      h: () => { this.lines = !this.lines; this.draw(); }, "/": () => this.search.focus(),
      d: () => this.dark(!this.night), x: () => this.full(), "?": () => this.toggleHelp(),
    }[key];
    if (!does || key === "Enter" && event.target.tagName === "BUTTON" && !event.target.classList.contains("handle")) {
      return false;
    }
    does();
    return true;
  }

  tab(by, target) {
    if (this.boxed) {
      const last = by > 0 ? this.held + 1 >= this.boxes.length : this.held === 0;
      if (last || this.readOnly || !this.boxes.length || target !== this.root && !target.classList.contains("handle")) {
        this.take1(-1);
        return false;
      }
      this.hold(by);
      return true;
    }
    const last = this.corner === (by > 0 ? 3 : 0);
    if (!this.editable() || last || target !== this.root && !target.classList.contains("handle")) {
      this.corner = -1;   // from the last corner on, Tab leaves the picture as it leaves anything else
      this.draw();
      return false;
    }
    this.hold(by);
    return true;
  }

  escape() {
    if (this.help.classList.contains("open")) this.toggleHelp();
    this.corner = this.held = -1;
    this.pen(false);
    this.draw();
    this.drawLoupe();
  }

  digit(number) {
    const kind = this.boxed && this.about.kinds[number - 1];
    if (kind) return this.held >= 0 && (this.rebox(this.boxes.map((box, at) => at === this.held ? [...box.slice(0, 4), kind] : box),
                                                   "kind set"), true);
    const [name, values] = Object.entries(this.about?.choices ?? {})[0] ?? [];
    if (!name) return false;
    const counted = typeof values[0] === "number";
    const value = counted ? (values.includes(number) ? number : number === 0 ? 10 : null) : values[number - 1];
    if (value == null || !values.includes(value)) return false;
    this.choose(name, value);
    return true;
  }

  hold(by) {
    if (this.boxed && this.boxes.length && !this.readOnly) {
      const count = this.boxes.length;
      this.take1((this.held + by + (this.held < 0 && by < 0 ? count + 1 : count)) % count);
      return;
    }
    if (!this.editable()) return;
    this.corner = (this.corner + by + (this.corner < 0 && by < 0 ? 5 : 4)) % 4;
    this.draw();
    this.drawLoupe();
    this.look();
  }

  nudge([x, y]) {
    const corners = this.editable(), what = this.corner >= 0 ? this.corner : `box ${this.held}`;
    if (!corners || this.readOnly) return;
    const fresh = this.nudged !== what || performance.now() - (this.nudgedAt ?? 0) > 1500;
    if (this.corner >= 0) this.move(this.corner, [corners[this.corner][0] + x, corners[this.corner][1] + y], !fresh);
    else this.shift([x, y], !fresh);
    [this.nudged, this.nudgedAt] = [what, performance.now()];
  }

  move(number, [x, y], merge) {
    if (this.boxed) return this.stretch(number, [x, y], merge);
    const [nameX, nameY] = this.names[number];
    this.change({ label: { [nameX]: x, [nameY]: y } }, "corner moved", merge);
  }

  // --- boxes

  get boxes() { return this.boxed && this.at >= 0 && this.now(this.at).label.boxes || []; }

  rebox(boxes, why, merge = false) {
    this.change({ label: { boxes } }, why, merge);
  }

  take1(number) {
    this.held = number;
    this.corner = -1;
    this.nudged = -1;
    this.draw();
    this.drawLoupe();
    this.look();
  }

  pen(on = !this.drawing) {
    this.drawing = on && this.boxed && !this.readOnly;
    this.stage.classList.toggle("drawing", this.drawing);
  }

  remove() {
    if (this.held < 0 || this.readOnly) return;
    this.rebox(this.boxes.filter((_, at) => at !== this.held), "box removed");
    this.take1(-1);
  }

  stretch(number, place, merge) {
    const [x, y] = this.within(place), box = [...this.boxes[this.held]];
    box[number === 0 || number === 3 ? 0 : 2] = x;
    box[number < 2 ? 1 : 3] = y;
    if (box[2] - box[0] < 1 || box[3] - box[1] < 1) return;   // it is not turned inside out
    this.rebox(this.boxes.map((each, at) => at === this.held ? box : each), "box resized", merge);
  }

  shift([x, y], merge) {
    const { width, height } = this.item, [left, top, right, bottom, ...rest] = this.boxes[this.held];
    const across = Math.min(width - right, Math.max(-left, x)), down = Math.min(height - bottom, Math.max(-top, y));
    this.rebox(this.boxes.map((each, at) => at === this.held
      ? [left + across, top + down, right + across, bottom + down, ...rest] : each), "box moved", merge);
  }

  within([x, y]) {
    return [Math.min(this.item.width, Math.max(0, x)), Math.min(this.item.height, Math.max(0, y))];
  }

  toPicture(event) {
    const frame = this.canvas.getBoundingClientRect();
    return [(event.clientX - frame.left - this.left) / this.scale, (event.clientY - frame.top - this.top) / this.scale];
  }

  under([x, y]) {   // the smallest box there
    const area = (at) => (this.boxes[at][2] - this.boxes[at][0]) * (this.boxes[at][3] - this.boxes[at][1]);
    return this.boxes.map((_, at) => at).filter((at) => {
      const [left, top, right, bottom] = this.boxes[at];
      return x >= left && x <= right && y >= top && y <= bottom;
    }).sort((one, other) => area(one) - area(other))[0] ?? -1;
  }

  press(event) {
    if (event.button || event.target !== this.canvas || this.readOnly || this.at < 0) return false;
    const start = this.toPicture(event), draws = this.drawing || event.shiftKey, under = this.under(start);
    if (!draws && under < 0) {
      this.take1(-1);
      return false;   // the picture is moved
    }
    this.root.focus({ preventScroll: true });
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    let last = start, moved = false;
    if (!draws) this.take1(under);
    const go = (next) => {
      const here = this.toPicture(next);
      if (!moved && Math.hypot(here[0] - start[0], here[1] - start[1]) * this.scale < 3) return;
      if (draws) this.spread(this.within(start), this.within(here), moved);
      else this.shift([here[0] - last[0], here[1] - last[1]], moved);
      [last, moved] = [here, true];
    };
    const stop = () => {
      this.canvas.removeEventListener("pointermove", go);
      if (draws) this.pen(false);
    };
    this.canvas.addEventListener("pointermove", go);
    this.canvas.addEventListener("pointerup", stop, { once: true });
    this.canvas.addEventListener("pointercancel", stop, { once: true });
    return true;
  }

  spread([x, y], [right, bottom], merge) {
    const box = [Math.min(x, right), Math.min(y, bottom), Math.max(x, right), Math.max(y, bottom)];
    if (box[2] - box[0] < 1) box[2] = box[0] + 1;
    if (box[3] - box[1] < 1) box[3] = box[1] + 1;
    if (this.about.kinds.length) box.push(merge ? this.boxes.at(-1)[4] : this.about.kinds[0]);
    const others = merge ? this.boxes.slice(0, -1) : this.boxes;
    this.rebox([...others, box], "box drawn", merge);
    if (!merge) this.take1(this.boxes.length - 1);
  }

  editable() {
    if (this.boxed && !this.readOnly && this.held >= 0 && this.held < this.boxes.length) {
      const [left, top, right, bottom] = this.boxes[this.held];
      return [[left, top], [right, top], [right, bottom], [left, bottom]];
    }
    return !this.readOnly && this.names?.length === 4 && this.at >= 0 && this.corners(this.now(this.at).label);
  }

  grab(event, number) {
    if (event.button) return;
    event.preventDefault();
    event.stopPropagation();
    this.root.focus({ preventScroll: true });
    this.corner = number;
    this.look();
    const handle = event.currentTarget;
    handle.setPointerCapture(event.pointerId);
    const start = this.editable()[number];
    let last = [event.clientX, event.clientY], moved = false, place = start;
    const go = (next) => {
      const slow = next.altKey ? 8 : 1;
      place = [place[0] + (next.clientX - last[0]) / this.scale / slow, place[1] + (next.clientY - last[1]) / this.scale / slow];
      last = [next.clientX, next.clientY];
      if (moved || Math.hypot(place[0] - start[0], place[1] - start[1]) * this.scale > 0.01) {
        this.move(number, this.boxed ? place : this.inside(place), moved);
        moved = true;
      }
    };
    const stop = () => {
      handle.removeEventListener("pointermove", go);
      handle.removeEventListener("pointerup", stop);
      handle.removeEventListener("pointercancel", stop);
    };
    handle.addEventListener("pointermove", go);
    handle.addEventListener("pointerup", stop);
    handle.addEventListener("pointercancel", stop);
    this.draw();
    this.drawLoupe();
  }

  inside([x, y]) {
    const { width, height } = this.item;
    return [Math.min(1.05 * width, Math.max(-0.05 * width, x)), Math.min(1.05 * height, Math.max(-0.05 * height, y))];
  }

  pan(event) {
    if (event.button || event.target !== this.canvas) return;
    this.root.focus({ preventScroll: true });
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    let last = [event.clientX, event.clientY];
    const go = (next) => {
      this.left += next.clientX - last[0];
      this.top += next.clientY - last[1];
      last = [next.clientX, next.clientY];
      this.fitted = false;
      this.draw();
      this.detail();
    };
    const stop = () => this.canvas.removeEventListener("pointermove", go);
    this.canvas.addEventListener("pointermove", go);
    this.canvas.addEventListener("pointerup", stop, { once: true });
    this.canvas.addEventListener("pointercancel", stop, { once: true });
  }

  hover(event) {
    const frame = this.canvas.getBoundingClientRect();
    this.pointer = [(event.clientX - frame.left - this.left) / this.scale, (event.clientY - frame.top - this.top) / this.scale];
    if (this.corner < 0) this.later1("loupe", () => { this.drawLoupe(); this.look(); });
  }

  wheel(event) {
    if (!this.root.contains(document.activeElement) && !event.ctrlKey) return;   // until it is clicked, the page scrolls
    event.preventDefault();
    event.stopPropagation();
    const frame = this.canvas.getBoundingClientRect();
    const steps = event.deltaMode ? event.deltaY * 30 : event.deltaY;
    this.zoom(Math.exp(-steps / 400), [event.clientX - frame.left, event.clientY - frame.top]);
  }

  zoom(by, about = null) {
    if (!this.item) return;
    const held = this.corner >= 0 && this.editable()?.[this.corner];
    about ??= held ? this.toStage(held) : [this.stage.clientWidth / 2, this.stage.clientHeight / 2];
    const scale = Math.min(40, Math.max(this.fitScale() / 2, this.scale * by));
    this.left = about[0] - (about[0] - this.left) * scale / this.scale;
    this.top = about[1] - (about[1] - this.top) * scale / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.draw();
    this.detail();
  }

  fit() {
    this.fitted = true;
    this.place0();
    this.draw();
    this.detail();
  }

  fitScale() {
    return Math.min((this.stage.clientWidth - 28) / this.item.width, (this.stage.clientHeight - 28) / this.item.height);
  }

  place0() {
    if (!this.item) return;
    this.scale = Math.max(1e-3, this.fitScale());
    this.left = (this.stage.clientWidth - this.item.width * this.scale) / 2;
    this.top = (this.stage.clientHeight - this.item.height * this.scale) / 2;
  }

  toStage([x, y]) {
    return [x * this.scale + this.left, y * this.scale + this.top];
  }

  // --- pieces at full resolution

  detail(first = false) {
    const bitmap = this.bitmaps.get(this.at);
    if (!bitmap) return;
    const ratio = this.scale * devicePixelRatio, has = bitmap.width / this.item.width;
    if (ratio <= 1.15 * has || has >= 1) {
      if (first && has < 1) this.look(true);
      return;
    }
    const rect = [Math.max(0, -this.left / this.scale), Math.max(0, -this.top / this.scale)];
    rect.push(Math.min(this.item.width - rect[0], this.stage.clientWidth / this.scale),
              Math.min(this.item.height - rect[1], this.stage.clientHeight / this.scale));
    if (rect[2] <= 1 || rect[3] <= 1) return;
    const most = Math.ceil(Math.max(rect[2], rect[3]) * Math.min(1, ratio));
    this.later1("detail", () => this.say({ do: "crop", tag: "stage", at: this.at, rect, most: Math.max(64, most) }), 90);
  }

  target() {
    const corners = this.at >= 0 && this.corner >= 0 && this.editable();
    return corners ? corners[this.corner] : this.pointer;
  }

  look(early = false) {
    const middle = this.target() ?? (early && this.corners(this.now(this.at).label)?.[0]);
    const bitmap = this.bitmaps.get(this.at);
    if (!middle || !bitmap || bitmap.width >= this.item.width) return;
    const piece = this.pieces.loupe;
    const inside = piece && piece.at === this.at && [0, 1].every((axis) =>
      middle[axis] - 60 > piece.rect[axis] - 1 && middle[axis] + 60 < piece.rect[axis] + piece.rect[axis + 2] + 1
      || middle[axis] < 120 || middle[axis] > [this.item.width, this.item.height][axis] - 120);
    if (inside && Math.hypot(...[0, 1].map((axis) => middle[axis] - piece.rect[axis] - piece.rect[axis + 2] / 2)) < 300) return;
    this.later1("look", () => this.say({ do: "crop", tag: "loupe", at: this.at, most: 640,
                                         rect: [middle[0] - 256, middle[1] - 256, 512, 512] }), 60);
  }

  // --- drawing

  resize() {
    const { clientWidth, clientHeight } = this.stage;
    if (!clientWidth || !clientHeight) return;
    this.canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
    if (this.fitted) this.place0();
    this.paint();
    this.drawLoupe();
    this.drawBox();
    this.drawStrip();
  }

  draw() {
    this.later1("draw", () => this.paint());
  }

  corners(label) {
    if (!label || this.names?.length !== 4) return null;
    const corners = this.names.map(([x, y]) => [label[x], label[y]]);
    return corners.flat().every(Number.isFinite) ? corners : null;
  }

  paint() {
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    const item = this.item;
    for (const handle of this.handles) handle.style.display = "none";
    if (!item) return;
    const bitmap = this.bitmaps.get(this.at);
    if (bitmap) {
      context.imageSmoothingEnabled = this.scale < 3;
      context.imageSmoothingQuality = "high";
      context.drawImage(bitmap, this.left, this.top, item.width * this.scale, item.height * this.scale);
      const piece = this.pieces.stage;
      if (piece?.at === this.at && this.scale * devicePixelRatio > 1.15 * bitmap.width / item.width) {
        const [x, y] = this.toStage(piece.rect);
        context.drawImage(piece.bitmap, x, y, piece.rect[2] * this.scale, piece.rect[3] * this.scale);
      }
      this.measure();
    } else if (!this.broken.has(this.at)) {
      context.fillStyle = "#8883";
      context.fillRect(this.left, this.top, item.width * this.scale, item.height * this.scale);
    }
    if (this.lines) this.paintLabels(context, (point) => this.toStage(point));
    this.placeHandles();
  }

  measure() {
    if (!this.pressed || this.root.dataset.shown === this.item.image) return this.shownNow();
    this.root.dataset.ms = (performance.now() - this.pressed).toFixed(1);
    this.pressed = 0;
    this.shownNow();
  }

  shownNow() {
    this.root.dataset.shown = this.item.image;
  }

  paintLabels(context, to) {
    const item = this.item, now = this.now(this.at), draft = this.drafts.get(this.at);
    const changed = !same(this.rounded(now.label), this.rounded(this.truth(item)));
    const radius = this.names.length ? item.answer.radius : null;
    if (this.boxed) return this.paintBoxes(context, to, now.label.boxes ?? [], changed, draft);
    this.outline(context, this.corners(item.answer)?.map(to), "#ff4438", 1.6, [], radius?.map((each) => each * this.scale));
    if (changed) this.outline(context, this.corners(this.truth(item))?.map(to), "#ffffff", 1.2, [5, 4]);
    if (draft?.conflict) this.outline(context, this.corners(draft.conflict.label)?.map(to), "#d66bff", 2, [9, 4]);
    this.outline(context, this.corners(now.label)?.map(to), changed ? "#35c8ff" : "#ffffff", 2);
  }

  paintBoxes(context, to, boxes, changed, draft) {
    const item = this.item, paint = (many, color, width, dashes = []) => many?.forEach((box, at) => {
      const [left, top, right, bottom, kind] = box, mine = many === boxes && at === this.held;
      const corners = [[left, top], [right, top], [right, bottom], [left, bottom]].map(to);
      this.outline(context, corners, mine ? "#ffd60a" : color, mine ? 2.4 : width, dashes);
      if (!this.about.kinds.length) return;
      context.font = "11px sans-serif";
      context.fillStyle = mine ? "#ffd60a" : color;
      context.fillText(kind, corners[many === boxes ? 0 : 3][0] + 2, corners[many === boxes ? 0 : 3][1] + (many === boxes ? -4 : 12));
    });
    paint(item.answer.boxes, "#ff4438", 1.6);
    if (changed) paint(this.truth(item).boxes, "#ffffff", 1.2, [5, 4]);
    if (draft?.conflict) paint(draft.conflict.label?.boxes, "#d66bff", 2, [9, 4]);
    paint(boxes, changed ? "#35c8ff" : "#ffffff", 2);
  }

  outline(context, corners, color, width, dashes = [], radius = null) {
    if (!corners) return;
    context.lineJoin = "round";
    for (const [stroke, wide] of [["#000a", width + 2], [color, width]]) {
      context.beginPath();
      corners.forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      context.setLineDash(dashes);
      context.strokeStyle = stroke;
      context.lineWidth = wide;
      context.stroke();
    }
    context.setLineDash([2, 3]);
    context.lineWidth = 1;
    radius?.forEach((each, number) => {
      context.beginPath();
      context.arc(...corners[number], each, 0, 7);
      context.stroke();
    });
    context.setLineDash([]);
  }

  placeHandles() {
    const corners = this.lines && this.at >= 0 && this.editable();
    // round a small box they stand a little off, so that it is seen
    const away = this.boxed && corners && this.scale * Math.min(corners[2][0] - corners[0][0], corners[2][1] - corners[0][1]) < 60 ? 9 : 0;
    this.handles.forEach((handle, number) => {
      handle.style.display = corners ? "" : "none";
      if (!corners) return;
      const [x, y] = this.toStage(corners[number]).map((each, axis) => each + away * [[-1, -1], [1, -1], [1, 1], [-1, 1]][number][axis]);
      handle.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
      handle.classList.toggle("held", number === this.corner);
    });
  }

  drawLoupe() {
    const wide = this.loupe.clientWidth, tall = this.loupe.clientHeight, ratio = devicePixelRatio;
    this.loupe.width = Math.round(wide * ratio);
    this.loupe.height = Math.round(tall * ratio);
    const context = this.loupe.getContext("2d"), middle = this.item && this.target();
    context.scale(ratio, ratio);
    const bitmap = this.bitmaps.get(this.at);
    this.loupeText.textContent = this.names?.length ? "loupe: point, or take a corner (Tab)" : "loupe: point at the picture";
    if (!middle || !bitmap) return;
    const big = 4, left = wide / 2 - middle[0] * big, top = tall / 2 - middle[1] * big;
    context.imageSmoothingEnabled = false;
    context.drawImage(bitmap, left, top, this.item.width * big, this.item.height * big);
    const piece = this.pieces.loupe;
    if (piece?.at === this.at) {
      context.drawImage(piece.bitmap, piece.rect[0] * big + left, piece.rect[1] * big + top, piece.rect[2] * big, piece.rect[3] * big);
    }
    const to = ([x, y]) => [x * big + left, y * big + top], item = this.item;
    const thin = (corners, color) => {
      if (!corners) return;
      context.beginPath();
      corners.map(to).forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      context.strokeStyle = color;
      context.stroke();
    };
    context.lineWidth = 1;
    const now = this.now(this.at);
    const around = ([left, top, right, bottom]) => [[left, top], [right, top], [right, bottom], [left, bottom]];
    for (const box of this.boxed ? item.answer.boxes : []) thin(around(box), "#ff4438");
    this.boxes.forEach((box, at) => thin(around(box), at === this.held ? "#ffd60a" : "#ffffff"));
    thin(this.corners(item.answer), "#ff4438");
    thin(this.corners(now.label), same(this.rounded(now.label), this.rounded(this.truth(item))) ? "#ffffff" : "#35c8ff");
    context.strokeStyle = "#ffd60acc";
    context.beginPath();
    for (const [across, down] of [[14, 0], [0, 14]]) {
      context.moveTo(wide / 2 - across, tall / 2 - down);
      context.lineTo(wide / 2 + across, tall / 2 + down);
    }
    context.stroke();
    const which = this.corner >= 0 ? `corner ${this.corner + 1}` : "pointer";
    this.loupeText.textContent = `${which}: ${middle[0].toFixed(1)}, ${middle[1].toFixed(1)} px`;
  }

  rectify() {
    const corners = this.at >= 0 && this.corners(this.now(this.at).label);
    this.boxAgain = this.boxAsked;
    if (!corners || this.boxAsked) return;
    this.boxAsked = true;
    this.later1("rectify", () => {
      const present = this.at >= 0 && this.corners(this.now(this.at).label);
      if (present) this.say({ do: "rectify", at: this.at, corners: present });
      else this.boxAsked = false;
    }, 60);
  }

  drawBox() {
    const wide = this.box.clientWidth, tall = this.box.clientHeight, ratio = devicePixelRatio;
    this.box.width = Math.round(wide * ratio);
    this.box.height = Math.round(tall * ratio);
    if (!this.rectified || this.rectified.at !== this.at) return;
    const context = this.box.getContext("2d"), { bitmap } = this.rectified;
    context.scale(ratio, ratio);
    const scale = Math.min(wide / bitmap.width, tall / bitmap.height);
    const [across, down] = [bitmap.width * scale, bitmap.height * scale];
    const [left, top] = [(wide - across) / 2, (tall - down) / 2];
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, left, top, across, down);
    const [name] = Object.keys(this.about.choices), rows = name && this.now(this.at).label[name];
    this.boxText.textContent = name ? `rectified, ${rows} ${name === "row_nb" ? "rows" : name}` : "rectified";
    if (typeof rows !== "number") return;
    context.strokeStyle = "#35c8ffb0";
    context.setLineDash([4, 4]);
    context.beginPath();
    for (let row = 1; row < rows; row++) {
      context.moveTo(left, top + down * row / rows);
      context.lineTo(left + across, top + down * row / rows);
    }
    context.stroke();
  }

  // --- panels

  buildChoices() {
    this.picks = [];
    for (const [name, values] of Object.entries(this.about.choices)) {
      const line = make("div", "pick", "", [make("span", "", name === "row_nb" ? "rows of core" : name)]);
      for (const value of values) {
        const node = button(`${value}`, `${name} ${value}`, () => this.choose(name, value));
        this.picks.push([name, value, node]);
        line.append(node);
      }
      this.choices.append(line);
    }
    this.edits.style.display = this.readOnly ? "none" : "";
  }

  show() {
    const item = this.item;
    this.count.textContent = item ? `${this.place + 1} of ${this.order.length}` : `none of ${this.items.length}`;
    this.title.textContent = item?.image ?? "";
    this.title.title = item?.source ?? "";
    this.showFacts();
    this.showMessage();
    this.showBanner();
    this.showCounts();
    this.showState();
    const now = item && this.now(this.at), draft = this.drafts.get(this.at);
    for (const [name, value, node] of this.picks ?? []) {
      node.classList.toggle("on", now?.label[name] === value);
      node.classList.toggle("predicted", item?.answer[name] === value);
    }
    this.marks.forEach((node, number) => node.classList.toggle("on", now?.status === MARKS[number][0]));
    if (document.activeElement !== this.note) this.note.value = now?.note ?? "";
    this.undoButton.disabled = !draft?.undo.length;
    this.redoButton.disabled = !draft?.redo.length;
    this.showChips(item, now);
    this.draw();
    this.drawLoupe();
    if (this.rectified) this.drawBox();
  }

  showChips(item, now) {
    this.label.replaceChildren();
    if (!item || this.names.length) return;
    if (this.boxed) {
      this.label.append(make("span", "chip white", `label: ${this.boxes.length} boxes`),
                        make("span", "chip red", `model: ${item.answer.boxes.length} boxes`));
      this.about.kinds.forEach((kind, at) => this.label.append(make("span", "chip", `${at + 1} ${kind}`)));
    }
    for (const name of Object.keys(this.about.choices)) {
      this.label.append(make("span", "chip white", `label: ${short(now.label[name])}`),
                        make("span", "chip red", `model: ${short(item.answer[name])}`));
    }
  }

  showFacts() {
    const item = this.item;
    this.facts.replaceChildren();
    if (!item) return;
    const fact = (name, value, className = "") => this.facts.append(make("span", "", name), make("b", className, value));
    if (item.suspect) fact("audit", "suspect label", "doubt");
    if (item.doubt != null) fact("doubt", short(item.doubt));
    fact("group", item.group || "–");
    fact("split", item.split);
    fact("size", `${item.width} × ${item.height}`);
    for (const [name, value] of Object.entries(item.scores)) {
      fact(name.replace(/_/g, " "), short(value) + (name === this.about.headline ? `  (rank ${this.at + 1})` : ""),
           name === this.about.headline ? "main" : "");
    }
    if (item.answer.confidence != null) fact("confidence", `${Math.round(100 * item.answer.confidence)} %`);
    if (item.answer.radius) fact("radius", `${item.answer.radius.map((each) => each.toFixed(0)).join(" ")} px`);
    if (item.surprise != null) fact(item.suspect != null ? "suspicion" : this.names.length ? "label / radius" : "surprise", short(item.surprise), item.surprise > 1 ? "doubt" : "");
    if (item.answer.refused) fact("model refused", item.answer.refused, "doubt");
    const revision = this.revisions.get(item.source);
    fact("label", STATUS[this.statusOf(item)] + (revision ? ` by ${revision.who}` : ""));
  }

  showMessage() {
    this.message.textContent = this.at < 0 ? (this.items.length ? "no picture fits the search and the filters" : "")
      : this.broken.get(this.at) ?? "";
  }

  showBanner() {
    const conflict = this.drafts.get(this.at)?.conflict;
    this.banner.replaceChildren();
    this.banner.classList.toggle("open", Boolean(conflict));
    if (!conflict) return;
    this.banner.append(
      make("span", "", `${conflict.who} changed this picture at ${clock(conflict.at)} (${STATUS[conflict.status]}, violet). `
        + "Your version is not lost:"),
      button("take theirs", "your version stays behind Undo", () => this.settle(false)),
      button("save mine on top", "theirs stays in the history", () => this.settle(true)));
  }

  showCounts() {
    const statuses = this.items.map((item) => this.statusOf(item));
    const reviewed = statuses.filter(Boolean).length, fixed = statuses.filter((status) => status === "corrected").length;
    this.done.style.width = `${100 * reviewed / Math.max(1, this.items.length)}%`;
    const times = [...this.times].sort((one, other) => one - other);
    const pace = times.length ? `, ${times[times.length >> 1].toFixed(0)} s a picture` : "";
    const left = this.items.filter((item, at) => item.suspect && !statuses[at]).length;
    const next = this.items.filter((item, at) => item.queue != null && !statuses[at]).length;
    this.tally.textContent = `${reviewed}/${this.items.length} reviewed, ${fixed} corrected${pace}`
      + (left ? `, ${left} suspect ${left > 1 ? "labels" : "label"} to look at` : "") + (next ? `, ${next} to label` : "");
  }

  showState() {
    const draft = this.drafts.get(this.at);
    const others = [...this.drafts].filter(([at, each]) => at !== this.at && (each.sending || this.dirty(at))).length;
    let [name, text, title] = ["idle", "", ""];
    this.kept.textContent = this.keptIn && !this.readOnly ? `corrections go to ${this.keptIn}` : "";
    if (this.readOnly) [name, text] = ["idle", "read-only"];
    else if (draft?.conflict) [name, text] = ["bad", "conflict"];
    else if (draft?.refused) [name, text, title] = ["bad", "not saved", draft.refused];
    else if (draft?.waiting) [name, text, title] = ["late", "not saved yet, tried again", draft.waiting];
    else if (this.who.classList.contains("wanted")) [name, text] = ["late", "say who you are"];
    else if (draft?.sending) [name, text] = ["late", "saving …"];
    else if (this.dirty(this.at)) [name, text] = ["late", "not saved yet"];
    else if (this.item && this.revisions.has(this.item.source)) [name, text] = ["good", "saved"];
    else if (this.offline) [name, text, title] = ["bad", "no database", this.offline];
    this.state.className = `state ${name}`;
    this.state.textContent = text + (others ? ` (+${others})` : "");
    this.state.title = title;
    this.root.dataset.state = text;
  }

  showPast(revisions) {
    this.past.replaceChildren();
    const table = { number: 0, who: this.item.truth ? "the table" : "the model", at: "", status: "", why: "", note: "", 
                    label: revisions.at(-1)?.was ?? this.truth(this.item) };
    for (const revision of [...revisions, table]) {
      const about = [revision.who, revision.at && clock(revision.at), STATUS[revision.status] === "to do" ? "" : STATUS[revision.status],
                     revision.why].filter(Boolean).join(" · ");
      const line = make("div", "revision", "", [make("b", "", `${revision.number}`), make("span", "", about)]);
      if (revision.note) line.append(make("i", "", revision.note));
      if (!this.readOnly) {
        line.append(button("restore", "make this the label again, as a new revision", () =>
          this.change({ label: { ...revision.label }, ...(revision.status ? { status: revision.status } : {}) },
                      `restored ${revision.number}`)));
      }
      this.past.append(line);
    }
  }

  // --- thumbnails

  scrollStrip() {
    this.rail.style.width = `${THUMB * this.order.length}px`;
    const left = THUMB * (this.place + 0.5) - this.strip.clientWidth / 2;
    this.strip.scrollLeft = left;
    this.drawStrip();
  }

  drawStrip() {
    this.later1("strip", () => {
      const first = Math.max(0, Math.floor(this.strip.scrollLeft / THUMB) - 2);
      const end = Math.min(this.order.length, Math.ceil((this.strip.scrollLeft + this.strip.clientWidth) / THUMB) + 2);
      const wanted = [], nodes = [];
      for (let place = first; place < end; place++) nodes.push(this.thumb(place, wanted));
      this.rail.replaceChildren(...nodes);
      if (wanted.length) this.later1("thumbs", () => this.askThumbs(wanted), 120);
    });
  }

  askThumbs(wanted) {
    const many = wanted.filter((at) => !this.thumbs.has(at)).slice(0, 24);
    for (const at of many) this.thumbs.set(at, "");
    if (many.length) this.say({ do: "thumbnails", many });
  }

  thumb(place, wanted) {
    const at = this.order[place], item = this.items[at];
    const node = make("div", `thumb ${this.statusOf(item)}`);
    node.style.left = `${THUMB * place}px`;
    node.classList.toggle("here", place === this.place);
    node.title = `${item.image}\n${STATUS[this.statusOf(item)]}`;
    if (!this.thumbs.has(at)) wanted.push(at);
    else if (this.thumbs.get(at)) node.style.backgroundImage = `url(${this.thumbs.get(at)})`;
    node.append(make("span", "", short(item.scores[this.about.headline])));
    if (this.drafts.get(at)?.conflict) node.classList.add("conflict");
    node.addEventListener("click", () => { this.go(place); this.root.focus({ preventScroll: true }); });
    return node;
  }
}

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};
