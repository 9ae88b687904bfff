// Labels: the table's, the model's, and the newest revision of each picture. Also what differs between two labels.
import { same, short } from "./dom.js";
import { sureBoxes } from "./quads.js";

export const STATUS = { "": "to do", edited: "edited, not accepted", accepted: "accepted", corrected: "corrected",
                        refused: "not usable", bad: "bad picture", unsure: "unsure" };
export const DECIDED = ["accepted", "refused", "bad"];

export class Labels {
  constructor(about) {
    this.points = about.points;
    this.choices = about.choices;
    this.boxed = about.edit === "boxes";
    this.several = about.several;   // a picture may have several labels, each four points
    this.revisions = new Map();   // by source: the newest
    this.last = 0;
  }

  add(revision) {
    const known = this.revisions.get(revision.source);
    if (!known || known.number < revision.number) this.revisions.set(revision.source, revision);
    this.last = Math.max(this.last, revision.id);
  }

  names() {
    if (this.several) return ["boxes"];
    return [...this.values(), ...(this.boxed ? ["boxes"] : [])];
  }

  // The names of the values that one label has.
  values() { return [...this.points.flat(), ...Object.keys(this.choices)]; }

  // The labels that a label or an answer holds.
  boxesOf(values) {
    return this.several ? values?.boxes ?? [] : values ? [values] : [];
  }

  // What is edited and compared of a label.
  own(values) {
    return this.several ? { boxes: this.boxesOf(values).map((box) => this.plain(box)) } : { ...values };
  }

  plain(box) {
    return { ...Object.fromEntries(this.values().map((name) => [name, box[name] ?? null])), ...(box.cut ? { cut: true } : {}) };
  }

  // A label by its columns: of several boxes those of the first one, and all of them where there are more.
  flat(label) {
    if (!this.several) return label;
    return { ...label.boxes[0], ...(label.boxes.length > 1 ? { boxes: label.boxes } : {}) };
  }

  // The label of the table; for a picture that has none, the model's answer to begin with.
  ofTable(item) {
    if (this.several) return this.own(item.truth ?? { boxes: sureBoxes(item.answer) });
    return Object.fromEntries(this.names().map((name) => [name, item.truth?.[name] ?? item.answer[name] ?? null]));
  }

  ofModel(item) {
    if (this.several) return sureBoxes(item.answer).length ? this.own({ boxes: sureBoxes(item.answer) }) : {};
    return Object.fromEntries(this.names().filter((name) => item.answer[name] != null)
      .map((name) => [name, item.answer[name]]));
  }

  // The answer by the columns of a label.
  ofAnswer(item) {
    const model = this.ofModel(item);
    return this.several && model.boxes ? this.flat(model) : model;
  }

  // What is kept of a picture: {label, status, note}. A picture without a revision is "open".
  kept(item) {
    const revision = this.revisions.get(item.source);
    if (!revision) return { label: this.ofTable(item), status: "open", note: "" };
    return { label: { ...this.ofTable(item), ...this.own(revision.label) }, status: revision.status, note: revision.note };
  }

  changed(item, label) {
    return !same(rounded(label), rounded(this.ofTable(item)));
  }

  // A key of STATUS.
  shownStatus(item, { label, status } = this.kept(item)) {
    if (status === "open" || status === "edited") return this.changed(item, label) ? "edited" : "";
    return status === "accepted" && this.changed(item, label) ? "corrected" : status;
  }

  corners(label) {
    if (!label || this.points.length !== 4) return null;
    const corners = this.points.map(([x, y]) => [label[x], label[y]]);
    return corners.flat().every(Number.isFinite) ? corners : null;
  }

  // Why a label cannot be accepted, in words; "" where nothing is seen against it. The kernel checks once more.
  fault(label) {
    const boxes = this.boxesOf(label), faults = boxes.map((box) => this.faultOfOne(box)), at = faults.findIndex(Boolean);
    return at < 0 ? "" : boxes.length > 1 ? `box ${at + 1}: ${faults[at]}` : faults[at];
  }

  faultOfOne(label) {
    const corners = this.corners(label);
    if (!corners) return "";
    const turns = corners.map((corner, at) => {
      const [next, after] = [corners[(at + 1) % 4], corners[(at + 2) % 4]];
      return (next[0] - corner[0]) * (after[1] - next[1]) - (next[1] - corner[1]) * (after[0] - next[0]);
    });
    if (turns.every((turn) => turn > 0)) return "";
    const crossing = turns.filter((turn) => turn > 0).length === 2;
    return crossing ? "the corners cross" : "the corners make no box: a corner lies inside, or they run the wrong way round";
  }

  // How a label differs from another, one text for each field.
  differences(mine, theirs) {
    const found = [], [yours, others] = [this.boxesOf(mine.label), this.boxesOf(theirs.label)];
    if (yours.length !== others.length) found.push(`boxes: yours ${yours.length}, theirs ${others.length}`);
    else yours.forEach((box, at) => found.push(...this.differencesOfOne(box, others[at]).map(
      (text) => yours.length > 1 ? `box ${at + 1}, ${text}` : text)));
    if (this.boxed && !same(rounded(mine.label.boxes), rounded(theirs.label.boxes))) {
      found.push(`boxes: yours ${mine.label.boxes.length}, theirs ${theirs.label.boxes.length}`
        + `, ${differingBoxes(mine.label.boxes, theirs.label.boxes)} of yours are not among theirs`);
    }
    if (mine.status !== theirs.status) found.push(`status: yours ${words(mine.status)}, theirs ${words(theirs.status)}`);
    if (mine.note !== theirs.note) found.push(`note: yours “${mine.note}”, theirs “${theirs.note}”`);
    return found;
  }

  differencesOfOne(mine, theirs) {
    const found = [];
    this.points.forEach(([x, y], at) => {
      const by = Math.hypot(mine[x] - theirs[x], mine[y] - theirs[y]);
      if (by > 0.05) found.push(`corner ${at + 1}: ${by.toFixed(1)} px apart`);
    });
    for (const name of Object.keys(this.choices)) {
      if (mine[name] !== theirs[name]) found.push(`${name.replace(/_/g, " ")}: yours ${short(mine[name])}, theirs ${short(theirs[name])}`);
    }
    return found;
  }

  // Whether rows, class or number of boxes of an answer are those of the label.
  agrees(item) {
    if (this.several) {
      const [label, answer] = [this.boxesOf(item.truth), sureBoxes(item.answer)];
      const rows = (boxes) => boxes.map((box) => JSON.stringify(Object.keys(this.choices).map((name) => box[name])));
      return same(rows(label), rows(answer));
    }
    return Object.keys(this.choices).every((name) => item.truth?.[name] === item.answer[name])
      && (!this.boxed || item.truth?.boxes.length === item.answer.boxes?.length);
  }
}

const words = (status) => STATUS[status] ?? "to do";

function differingBoxes(mine, theirs) {
  const known = new Set(theirs.map((box) => JSON.stringify(rounded(box))));
  return mine.filter((box) => !known.has(JSON.stringify(rounded(box)))).length;
}

// A label to be compared: its values by name, numbers to a ten-thousandth.
export function rounded(value) {
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value === "number") return Math.round(value * 1e4);
  if (value === null || typeof value !== "object") return value;
  return Object.keys(value).sort().map((name) => [name, rounded(value[name])]);
}
