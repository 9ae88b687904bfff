// The panel at the side: what is known of the picture, the buttons that edit its label, and its history.
import { button, clock, keyButton, make, recall, remember, short } from "./dom.js";
import { DECIDED, STATUS } from "./labels.js";
import { LINK } from "./list.js";

const MARKS = [["accepted", "Accept", "Enter"], ["refused", "Not usable", "R"], ["bad", "Bad picture", "B"],
               ["unsure", "Unsure", "U"], ["open", "Back to do", "O"]];

export class Side {
  constructor(view) {
    this.view = view;
    const { actions } = view;
    this.title = make("div", "title");
    this.summary = make("div", "summary");
    this.link = button("Link", "copy a link to this picture", () => this.copyLink(), "small");
    this.wider = button("⤢", "larger loupe and rectified box, or smaller", () => this.widen(!this.wide), "small");
    this.facts = make("div", "facts");
    this.choices = make("div", "choices");
    this.picks = [];
    this.boxes = make("div", "pick boxes");
    this.marks = MARKS.map(([status, text, key]) =>
      keyButton(text, status === "open" ? "take acceptance or mark back" : STATUS[status], key, () => actions.mark(status), `mark ${status}`));
    this.undo = keyButton("Undo", "take the last change back", "Z", () => actions.travel("undo"));
    this.redo = keyButton("Redo", "do it again", "Y", () => actions.travel("redo"));
    this.note = make("textarea");
    Object.assign(this.note, { placeholder: "note  N", rows: 2, maxLength: 4000 });
    this.note.setAttribute("aria-label", "note");
    this.note.addEventListener("input", () => actions.note(this.note.value));
    this.past = make("div", "past");
    this.edits = make("div", "edits", "", [this.boxes, this.choices,
      make("div", "marks", "", [...this.marks, keyButton("Accept many", "accept all sure answers that agree with their labels", "M",
                                                         () => view.dialogs.acceptMany())]),
      make("div", "tools", "", [keyButton("Prediction", "label as the model predicts", "P", () => actions.reset("prediction")),
        keyButton("Table", "label as the table has it", "T", () => actions.reset("table")), this.undo, this.redo]), this.note]);
    this.node = make("aside", "side", "", [make("div", "head", "", [make("div", "name", "", [this.title, this.summary]), this.link, this.wider]),
      make("div", "panels", "", [view.loupe.node, view.rectifiedBox.node]), this.edits, this.facts, make("h4", "", "History"), this.past]);
    this.node.tabIndex = 0;
    this.widen(recall("wide") === "1");
  }

  open(about) {
    this.view.rectifiedBox.node.style.display = about.points.length ? "" : "none";
    for (const [name, values] of Object.entries(about.choices)) {
      const line = make("div", "pick", "", [make("span", "", name === "row_nb" ? "rows of core" : name)]);
      for (const value of values) {
        const node = button(`${value}`, `${name} ${value}`, () => this.view.actions.choose(name, value));
        this.picks.push([name, value, node]);
        line.append(node);
      }
      this.choices.append(line);
    }
    this.edits.style.display = about.read_only ? "none" : "";
  }

  // The boxes of a label of several, to choose one.
  showBoxes() {
    const { quads, readOnly } = this.view, count = quads.several ? quads.all.length : 0;
    this.boxes.style.display = count > 1 ? "" : "none";
    const numbers = Array.from({ length: count }, (_, at) => {
      const node = button(`${at + 1}`, `box ${at + 1} (E)`, () => quads.choose(at));
      node.classList.toggle("on", at === quads.at);
      node.setAttribute("aria-pressed", at === quads.at);
      return node;
    });
    const remove = readOnly ? [] : [button("Remove", "remove the chosen box (Delete)", () => quads.remove())];
    this.boxes.replaceChildren(...count > 1 ? [make("span", "", `${count} boxes`), ...numbers, ...remove] : []);
  }

  widen(wide) {
    this.wide = wide;
    this.node.classList.toggle("wide", wide);
    remember("wide", wide ? "1" : "");
    if (this.view.about) this.view.drawAll();
  }

  copyLink() {
    const { item } = this.view.list;
    if (!item) return;
    const page = this.view.session.alone ? new URL("/", location.href) : location.href.split("#")[0];
    const link = `${page}${LINK}${encodeURIComponent(item.image)}`;
    navigator.clipboard?.writeText(link).then(() => this.view.notify("the link is copied", "good"), () => this.view.notify(link, "good"));
  }

  show() {
    const { item, at } = this.view.list, { drafts, quads } = this.view, now = item && this.view.now;
    this.title.textContent = item?.image ?? "";
    this.title.title = item?.source ?? "";
    this.summary.textContent = item ? this.summarise(item) : "";
    for (const [name, value, node] of this.picks) {
      const on = Boolean(item) && quads.box?.[name] === value;
      node.classList.toggle("on", on);
      node.setAttribute("aria-pressed", on);
      node.classList.toggle("predicted", Boolean(item) && quads.answered(item)[name] === value);
    }
    this.showBoxes();
    this.marks.forEach((node, number) => {
      const on = Boolean(now) && now.status === MARKS[number][0] && now.status !== "open";
      node.classList.toggle("on", on);
      node.setAttribute("aria-pressed", on);
    });
    if (document.activeElement !== this.note) this.note.value = now?.note ?? "";
    this.offer(this.undo, drafts.history.done, at);
    this.offer(this.redo, drafts.history.undone, at);
    this.showFacts(item);
  }

  // What one wants to know of a picture at first sight.
  summarise({ scores, answer, surprise, suspect, unanswered }) {
    const { headline } = this.view.about;
    return [unanswered && "no answer", scores[headline] !== undefined && `${headline.replace(/_/g, " ")} ${short(scores[headline])}`,
      answer.confidence != null && `confidence ${Math.round(100 * answer.confidence)} %`, answer.refused && `refused: ${answer.refused}`,
      (suspect || surprise > 1) && "suspect label"].filter(Boolean).join(" · ");
  }

  // Say on a button what it takes back, and of which picture.
  offer(node, groups, at) {
    const group = groups.at(-1);
    node.disabled = !group;
    if (!group) return;
    const where = group.length > 1 ? `${group.length} pictures` : group[0].at === at ? "" : this.view.items[group[0].at].image;
    node.title = [group[0].why, where].filter(Boolean).join(", ");
  }

  showFacts(item) {
    this.facts.replaceChildren();
    if (!item) return;
    const { about, labels, list, quads } = this.view, answer = quads.answered(item);   // of several boxes, to the chosen one
    const [marked, found] = [quads.all.length, labels.boxesOf(item.answer).length];
    const fact = (name, value, className = "") => this.facts.append(make("span", "", name), make("b", className, value));
    if (item.suspect) fact("audit", "suspect label", "doubt");
    if (item.unanswered) fact("answer", "none: the run did not verify this picture");
    if (item.doubt != null) fact("doubt", short(item.doubt));
    fact("hole", item.group || "–");
    fact("split", item.split);
    fact("size", `${item.width} × ${item.height}`);
    for (const [name, value] of Object.entries(item.scores)) {
      const main = name === about.headline, other = item.other?.scores[name];
      fact(name.replace(/_/g, " "), short(value) + (other === undefined ? "" : ` / ${short(other)}`) + (main ? `  (rank ${list.at + 1})` : ""), main ? "main" : "");
    }
    if (item.other) fact("other run", item.apart == null ? "–" : `${short(item.apart)} apart`, "other");
    if (quads.several && Math.max(marked, found) > 1) fact("boxes", `label ${marked}, model ${found}`, marked === found ? "" : "doubt");
    if (answer.cut) fact("model says", "cut by the picture's frame", "doubt");
    if (answer.confidence != null) fact("confidence", `${Math.round(100 * answer.confidence)} %`);
    if (answer.radius) fact("radius", `${answer.radius.map((each) => each.toFixed(0)).join(" ")} px`);
    const name = item.suspect != null ? "suspicion" : labels.points.length ? "label / radius" : "surprise";
    if (item.surprise != null) fact(name, short(item.surprise), item.surprise > 1 ? "doubt" : "");
    if (answer.refused) fact("model refused", answer.refused, "doubt");
    const revision = labels.revisions.get(item.source);
    fact("label", STATUS[labels.shownStatus(item)] + (revision ? ` by ${revision.who}` : ""));
  }

  // The revisions of the picture, newest first, and below them the table's label.
  showPast(revisions) {
    const { item, labels } = { ...this.view, item: this.view.list.item };
    const counts = revisions.find((each) => [...DECIDED, "open"].includes(each.status));
    const table = { number: 0, who: item.truth ? "the table" : "the model", at: "", status: "", why: "", note: "",
                    label: revisions.at(-1)?.was ?? labels.ofTable(item) };
    this.past.replaceChildren(...[...revisions, table].map((revision) => {
      const inUse = revision === counts && revision.status !== "open" || revision === table && (!counts || counts.status === "open");
      const about = [revision.who, revision.at && clock(revision.at), STATUS[revision.status] ?? (revision.status && "to do"), revision.why,
                     inUse && "in use"].filter(Boolean).join(" · ");
      const line = make("div", "revision", "", [make("b", "", `${revision.number}`), make("span", "", about)]);
      if (revision.note) line.append(make("i", "", revision.note));
      if (!this.view.readOnly) {
        line.append(button("restore", "edit: take this label again", () => {
          this.view.root.focus({ preventScroll: true });   // the list is made anew when the edit is saved
          this.view.actions.change({ label: labels.own(revision.label) }, `restored ${revision.number}`);
        }));
      }
      return line;
    }));
  }
}
