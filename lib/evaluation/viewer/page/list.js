// Which pictures are shown, in which order, and which of them is on the screen.

export const SORTS = {
  rank: ["worst first", null],
  surprise: ["suspect labels", (item) => -(item.surprise ?? -1)],
  queue: ["to label next", (item) => item.queue ?? Infinity],
  radius: ["largest radius", (item) => -Math.max(-1, ...(item.answer.radius ?? []))],
  confidence: ["least confident", (item) => item.answer.confidence ?? 2],
  apart: ["runs differ most", (item) => -(item.apart ?? -1)],
  name: ["name", (item) => item.image],
  group: ["hole", (item) => item.group],
  recent: ["last corrected", null],
};
export const ANSWERED = "", WHOLE_TABLE = "*";
export const LINK = "#picture=";
const NO_FILTERS = { status: "", split: ANSWERED, group: "", answer: "", text: "" };

export class List {
  constructor(view) {
    this.view = view;
    this.order = [];
    this.place = 0;
    this.filters = { ...NO_FILTERS };
    this.sort = "rank";
    this.backwards = false;
    this.since = performance.now();
  }

  get at() { return this.order[this.place] ?? -1; }

  get item() { return this.view.items[this.at]; }

  get isFiltered() { return Object.keys(NO_FILTERS).some((name) => this.filters[name] !== NO_FILTERS[name]); }

  clear() { this.filters = { ...NO_FILTERS }; }

  // Seconds that the present picture was looked at, counted anew from now on.
  secondsHere() {
    const seconds = (performance.now() - this.since) / 1000;
    this.since = performance.now();
    return seconds;
  }

  // The pictures that the split filter lets through: those that the run answered, or more of the table.
  inSplit(item) {
    const { split } = this.filters;
    if (split === ANSWERED) return !item.unanswered;
    return split === WHOLE_TABLE || item.split === split;
  }

  fits(item) {
    const { status, group, answer, text } = this.filters, { labels } = this.view;
    if (!this.inSplit(item) || group && item.group !== group) return false;
    if (text && !`${item.image} ${item.source}`.toLowerCase().includes(text.toLowerCase())) return false;
    return fitsStatus(status, labels.shownStatus(item)) && this.fitsAnswer(answer, item);
  }

  fitsAnswer(answer, item) {
    if (answer === "refused") return Boolean(item.answer.refused);
    if (answer === "doubt") return item.surprise > 1;
    return answer !== "apart" || !item.unanswered && !this.view.labels.agrees(item);
  }

  // Filter and sort anew; the picture on the screen stays, where it still fits.
  arrange() {
    const present = this.at, { items } = this.view;
    const order = items.map((_, at) => at).filter((at) => this.fits(items[at]));
    const keys = this.keys(order);
    if (keys) order.sort((one, other) => {
      const [a, b] = [keys.get(one), keys.get(other)];
      return (a < b ? -1 : a > b ? 1 : 0) || one - other;
    });
    if (this.backwards) order.reverse();
    this.order = order;
    this.place = Math.max(0, order.indexOf(present));
  }

  keys(order) {
    const { items, labels } = this.view;
    const key = this.sort === "recent" ? (item) => -(labels.revisions.get(item.source)?.id ?? 0) : SORTS[this.sort][1];
    return key && new Map(order.map((at) => [at, key(items[at])]));
  }

  // The place of a picture by its number in the list (from 1), a link, its name, or a part of its name; −1: none.
  find(text) {
    const wanted = text.trim(), { items } = this.view;
    if (/^\d+$/.test(wanted) && wanted > 0 && wanted <= this.order.length) return wanted - 1;
    const name = linked(wanted).toLowerCase();
    const names = this.order.map((at) => [items[at].image.toLowerCase(), items[at].source.toLowerCase()]);
    const exact = names.findIndex((each) => each.includes(name));
    return exact >= 0 ? exact : name ? names.findIndex((each) => each.some((one) => one.includes(name))) : -1;
  }
}

// The picture's name in a link to it, or the text itself.
export function linked(text) {
  const [, name] = text.split(LINK);
  try { return name === undefined ? text : decodeURIComponent(name); } catch { return name; }
}

function fitsStatus(wanted, status) {
  const reviewed = Boolean(status) && status !== "edited";
  if (wanted === "open") return !reviewed;
  if (wanted === "done") return reviewed;
  return !wanted || wanted === status;
}
