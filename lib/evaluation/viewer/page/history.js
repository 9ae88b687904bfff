// Changes of labels in their order, over all pictures: made, taken back, made again.
import { same } from "./dom.js";
import { DECIDED, rounded } from "./labels.js";

export class EditHistory {
  constructor(drafts) {
    this.drafts = drafts;
    this.done = [];     // to undo: groups of {at, before, after, why}, the newest last
    this.undone = [];   // to redo
  }

  add(group) { this.done.push(group); }

  // Change the label, status or note of a picture. With `merge`, undo takes it back together with the change before.
  change(at, part, why, merge = false) {
    const before = this.drafts.now(at), now = { ...before, ...part, label: { ...before.label, ...part.label } };
    const relabelled = !same(rounded(before.label), rounded(now.label));
    if (relabelled && !part.status && ["open", "accepted"].includes(before.status)) now.status = "edited";
    if (sameState(before, now)) return false;
    const last = this.done.at(-1)?.[0];
    if (merge && last?.at === at) last.after = now;
    else this.done.push([{ at, before, after: now, why }]);
    this.undone = [];
    this.drafts.set(at, now, why);
    return true;
  }

  // Accept many pictures, each with a revision of its own; one undo takes all of them back.
  acceptAll(many, why) {
    const group = many.map((at) => ({ at, before: this.drafts.now(at), after: { ...this.drafts.now(at), status: "accepted" }, why }));
    this.done.push(group);
    this.undone = [];
    for (const { at, after } of group) {
      this.drafts.set(at, after, why);
      this.drafts.save(at);
    }
  }

  undo() { return this.travel(this.done, this.undone, "after", "before", "undone"); }
  redo() { return this.travel(this.undone, this.done, "before", "after", "redone"); }

  // Take the newest group of changes back; returns its pictures. What others changed meanwhile stays as it is.
  travel(from, to, state, other, why) {
    const group = from.pop();
    if (!group) return [];
    to.push(group);
    const undecided = (now) => ({ ...now, status: now.status === "edited" ? "open" : now.status });   // undo of a decision leaves "open"
    const mine = group.filter((entry) => sameState(undecided(this.drafts.now(entry.at)), undecided(entry[state])));
    if (mine.length < group.length) this.drafts.view.notify("changed since by somebody else: left as it is, see its history");
    for (const entry of mine) {
      const status = entry[other].status === "edited" && DECIDED.includes(this.drafts.kept(entry.at).status) ? "open" : entry[other].status;
      entry[other] = { ...entry[other], status };
      this.drafts.set(entry.at, entry[other], why);
      if (group.length > 1) this.drafts.save(entry.at);
    }
    return mine.map((entry) => entry.at);
  }
}

export function sameState(one, other) {
  const comparable = ({ label, status, note }) => [rounded(label), status, note];
  return same(comparable(one), comparable(other));
}
