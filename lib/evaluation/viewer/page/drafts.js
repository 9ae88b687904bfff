// Edits: what a reviewer changed, until the kernel has it; conflicts with other people.
import { uuid } from "./dom.js";
import { EditHistory, sameState } from "./history.js";

const SILENCE = 12_000;   // ms without an answer of the kernel after which the page says so

export class Drafts {
  constructor(view) {
    this.view = view;
    this.byItem = new Map();   // by number of the item: {now, why, sending, sent, waiting, refused, conflict, seconds}
    this.history = new EditHistory(this);
    this.times = [];           // seconds a picture
  }

  get(at) { return this.byItem.get(at); }

  kept(at) { return this.view.labels.kept(this.view.items[at]); }

  now(at) { return this.byItem.get(at)?.now ?? this.kept(at); }

  // Whether something of a picture is not on its way to the kernel yet.
  isUnsaved(at) {
    const draft = this.byItem.get(at);
    if (!draft) return false;
    return Boolean(draft.conflict) || !sameState(draft.now, draft.sending ? draft.sent : this.kept(at));
  }

  // The pictures with something that the database does not have, in a list.
  pending() {
    return [...this.byItem.keys()].filter((at) => this.byItem.get(at).sending || this.isUnsaved(at));
  }

  set(at, now, why) {
    const draft = this.byItem.get(at) ?? { sending: "", sent: null, conflict: null, waiting: "", refused: "", seconds: 0 };
    this.byItem.set(at, Object.assign(draft, { now, why, refused: "" }));
    this.forgetIfKept(at);
  }

  forgetIfKept(at) {
    const draft = this.byItem.get(at);
    if (draft && !draft.sending && !draft.conflict && !draft.refused && !this.isUnsaved(at)) this.byItem.delete(at);
  }

  save(at, onTop = false) {
    const draft = this.byItem.get(at), { view } = this;
    if (!draft || !this.isUnsaved(at) || draft.conflict && !onTop) return;
    const item = view.items[at], revision = view.labels.revisions.get(item.source), edit = uuid();
    if (at === view.list.at) draft.seconds += view.list.secondsHere();
    if (draft.seconds) this.times.push(draft.seconds);
    const why = draft.conflict ? `on top of ${draft.conflict.who}'s` : draft.why;
    view.say({ do: "save", at, edit, number: (revision?.number ?? 0) + 1, status: draft.now.status, label: draft.now.label,
               was: item.truth || revision ? this.kept(at).label : null, note: draft.now.note, who: view.reviewer, why,
               replaces: draft.sending, seconds: Math.round(draft.seconds * 10) / 10 });
    Object.assign(draft, { sending: edit, sent: draft.now, conflict: null, waiting: "", refused: "", seconds: 0 });
    setTimeout(() => {
      if (draft.sending !== edit || draft.waiting || draft.conflict) return;
      draft.waiting = "the kernel does not answer: it is busy, or was stopped; then run the cell again";
      view.show();
    }, SILENCE);
  }

  // --- what the kernel reports

  ofEdit(edit) {
    return [...this.byItem.entries()].find(([, draft]) => draft.sending === edit) ?? [-1, null];
  }

  saved({ edit, revision }) {
    const [at, draft] = this.ofEdit(edit);
    this.view.labels.add(revision);
    if (!draft) return;
    Object.assign(draft, { sending: "", conflict: null, waiting: "", refused: "" });
    this.forgetIfKept(at);
  }

  failed({ edit, text }) {
    const [at, draft] = this.ofEdit(edit);
    if (draft) Object.assign(draft, { sending: "", refused: text });
    return at;
  }

  // An edit of an earlier visit that is not saved yet: it is on the page again. Null where it is not this reviewer's.
  resume(edit, change) {
    const { view } = this, at = view.items.findIndex((item) => item.source === change.source);
    if (at < 0 || this.byItem.has(at) || change.who !== view.reviewer) return null;
    view.notify(`${view.items[at].image}: your correction of an earlier visit is not saved yet`);
    const now = { label: { ...view.labels.ofTable(view.items[at]), ...view.labels.own(change.label) }, status: change.status, note: change.note };
    this.history.add([{ at, before: this.kept(at), after: now, why: change.why }]);
    this.set(at, now, change.why);
    return Object.assign(this.byItem.get(at), { sending: edit, sent: now });
  }

  // Another reviewer's revision came in.
  met(revision) {
    const at = this.view.items.findIndex((item) => item.source === revision.source), draft = this.byItem.get(at);
    const known = this.view.labels.revisions.get(revision.source)?.edit === revision.edit;   // one of my own
    if (draft && !draft.sending && !known) draft.conflict = revision;
  }

  // Decide a conflict: theirs is taken, and mine can be had again by undo; or mine is saved on top of it.
  settle(at, mine) {
    const draft = this.byItem.get(at);
    if (!draft?.conflict) return;
    if (mine) return this.save(at, true);
    if (draft.sending) this.view.say({ do: "discard", edit: draft.sending });
    this.byItem.delete(at);
    this.history.add([{ at, before: draft.now, after: this.kept(at), why: "theirs taken" }]);
  }
}
