// The row of thumbnails below, and the line under it: how far the review is, and whether all is saved.
import { button, make, short } from "./dom.js";
import { STATUS } from "./labels.js";

const WIDTH = 104;   // CSS pixels from one thumbnail to the next

export class Strip {
  constructor(view) {
    this.view = view;
    this.rail = make("div", "rail");
    this.node = make("div", "strip", "", [this.rail]);
    this.node.addEventListener("scroll", () => this.draw());
  }

  // Have the present picture in the middle.
  scroll() {
    const { order, place } = this.view.list;
    this.rail.style.width = `${WIDTH * order.length}px`;
    this.node.scrollLeft = WIDTH * (place + 0.5) - this.node.clientWidth / 2;
    this.draw();
  }

  draw() {
    this.view.timers.frame("strip", () => {
      const { order } = this.view.list, { scrollLeft, clientWidth } = this.node;
      const first = Math.max(0, Math.floor(scrollLeft / WIDTH) - 2);
      const end = Math.min(order.length, Math.ceil((scrollLeft + clientWidth) / WIDTH) + 2);
      const wanted = [], nodes = [];
      for (let place = first; place < end; place++) nodes.push(this.thumbnail(place, wanted));
      this.rail.replaceChildren(...nodes);
      if (wanted.length) this.view.timers.after("thumbnails", 120, () => this.view.pictures.askThumbnails(wanted));
    });
  }

  thumbnail(place, wanted) {
    const { list, items, labels, pictures, drafts, about } = this.view, at = list.order[place], item = items[at];
    const status = labels.shownStatus(item);
    const node = button("", `${item.image}\n${STATUS[status]}`, () => {
      this.view.navigation.go(place);
      this.view.root.focus({ preventScroll: true });
    }, `thumb ${status}`);
    node.setAttribute("aria-label", `${item.image}, ${STATUS[status]}`);
    node.style.left = `${WIDTH * place}px`;
    node.tabIndex = -1;
    node.classList.toggle("here", place === list.place);
    node.classList.toggle("fault", Boolean(labels.fault(labels.kept(item).label)));
    node.classList.toggle("conflict", Boolean(drafts.get(at)?.conflict));
    if (!pictures.thumbnails.has(at)) wanted.push(at);
    else if (pictures.thumbnails.get(at)) node.style.backgroundImage = `url(${pictures.thumbnails.get(at)})`;
    if (!item.unanswered) node.append(make("span", "", short(item.scores[about.headline])));
    return node;
  }
}

export class Foot {
  constructor(view) {
    this.view = view;
    this.done = make("div", "done");
    this.tally = make("span", "tally");
    this.kept = make("span", "tally kept");
    this.state = make("span", "state");
    this.state.setAttribute("role", "status");
    this.node = make("div", "foot", "", [make("div", "progress", "", [this.done]), this.tally, make("span", "grow"), this.kept, this.state]);
  }

  show() {
    this.showTally();
    const [name, text, title] = this.sign(), others = this.view.drafts.pending().filter((at) => at !== this.view.list.at).length;
    this.state.className = `state ${name}`;
    this.state.textContent = text + (others ? ` (${others} more not saved yet)` : "");
    this.state.title = title ?? "";
    this.view.root.dataset.state = text;
    this.kept.textContent = this.view.keptIn && !this.view.readOnly ? `corrections go to ${this.view.keptIn}` : "";
  }

  showTally() {
    const { list, labels, items, drafts } = this.view, inSplit = items.filter((item) => list.inSplit(item));
    const statuses = inSplit.map((item) => labels.shownStatus(item));
    const reviewed = statuses.filter((status) => status && status !== "edited").length;
    const count = (wanted) => statuses.filter((status) => status === wanted).length;
    const left = inSplit.filter((item, at) => item.suspect && ["", "edited"].includes(statuses[at])).length;
    const next = inSplit.filter((item, at) => item.queue != null && ["", "edited"].includes(statuses[at])).length;
    const times = [...drafts.times].sort((one, other) => one - other);
    this.done.style.width = `${100 * reviewed / Math.max(1, inSplit.length)}%`;
    this.tally.textContent = [`${reviewed}/${inSplit.length} reviewed, ${count("corrected")} corrected`,
      count("edited") && `${count("edited")} edited, not accepted`, times.length && `${times[times.length >> 1].toFixed(0)} s a picture`,
      left && `${left} suspect ${left > 1 ? "labels" : "label"} to look at`, next && `${next} to label`].filter(Boolean).join(", ");
  }

  // The class, text and title of the sign that says whether what is on the screen is saved.
  sign() {
    const { view } = this, { item, at } = view.list, draft = view.drafts.get(at);
    if (view.readOnly) return ["idle", "read-only"];
    if (draft?.conflict) return ["bad", "conflict"];
    if (draft?.refused) return ["bad", "not saved", draft.refused];
    if (draft?.waiting) return ["late", "not saved yet, tried again", draft.waiting];
    if (view.drafts.isUnsaved(at)) return ["late", "not saved yet"];
    if (draft?.sending) return ["late", "saving …"];
    const fault = item && view.labels.fault(view.now.label);
    if (item && view.labels.revisions.has(item.source)) return this.savedSign(item, fault);
    if (fault) return ["bad", fault];
    return view.offline ? ["bad", "no database", view.offline] : ["idle", ""];
  }

  savedSign(item, fault) {
    if (fault) return ["bad", `saved, but ${fault}`];
    return this.view.labels.shownStatus(item) === "edited" ? ["late", "saved, not accepted"] : ["good", "saved"];
  }
}
