// The way from picture to picture: what happens to the one that is left, and to the one that comes.
import { LINK, linked } from "./list.js";

const DWELL = 500;   // ms on a picture after which its history and its full resolution are asked for

export class Navigation {
  constructor(view) {
    this.view = view;
  }

  step(by) {
    const { order, place } = this.view.list;
    this.go(order.length ? (place + by + order.length) % order.length : 0);
  }

  go(place) {
    this.leave();
    this.view.list.place = place;
    this.came();
  }

  // Show a picture by its number; where the filters hide it, it is put before the list until they are changed.
  goTo(at) {
    const { list } = this.view;
    this.leave();
    if (!list.order.includes(at)) list.order = [at, ...list.order];
    list.place = list.order.indexOf(at);
    this.came();
  }

  // Go to a place in the list, a name or a link.
  jump(text) {
    const { view } = this, place = view.list.find(text), name = linked(text.trim());
    if (place >= 0) return this.go(place);
    const at = view.items.findIndex((item) => item.image === name || item.source === name);
    if (at >= 0) return this.goTo(at);
    view.notify(`no picture of this list is “${name}”`);
  }

  // The first picture on the screen: that of the page's address, else the first of the list.
  begin(hash) {
    this.came();
    if (hash.startsWith(LINK)) this.jump(hash);
  }

  arrange() {
    const started = performance.now();
    this.leave();
    this.view.list.arrange();
    this.came();
    this.view.root.dataset.filterMs = (performance.now() - started).toFixed(1);
  }

  leave() {
    const { drafts, list } = this.view, draft = drafts.get(list.at), seconds = list.secondsHere();
    if (draft) draft.seconds += seconds;
    if (!draft?.refused) drafts.save(list.at);
  }

  came() {
    const { view } = this, { at, item, place } = view.list;
    view.list.secondsHere();
    view.pictures.leave();
    view.stage.came();
    view.boxes.pen(false);
    view.side.past.replaceChildren();
    view.show();
    view.pictures.fetch();
    view.pictures.rectify();
    Object.assign(view.root.dataset, { at: place, image: item?.image ?? "" });
    view.session.remember(item);
    view.timers.after("dwell", DWELL, () => {
      if (at !== view.list.at || at < 0) return;
      view.pictures.detail(true);
      view.say({ do: "history", at });
    });
    view.strip.scroll();
  }
}
