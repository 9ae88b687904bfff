// The page's life: messages, its size, its address, and that nothing is left unsaved when it is closed.
import { LINK } from "./list.js";
import { Replies } from "./replies.js";

export class Session {
  constructor(view, model) {
    this.view = view;
    this.model = model;
    this.replies = new Replies(view);
    this.receive = (message, buffers) => this.replies.handle(message, buffers);
    this.events = [[window, "beforeunload", (event) => this.leaving(event)], [document, "visibilitychange", () => this.hidden()],
                   [window, "hashchange", () => this.follow()]];
    for (const [target, name, act] of this.events) target.addEventListener(name, act, { capture: true });
    model.on("msg:custom", this.receive);
    this.sizes = new ResizeObserver(() => this.resized());
    for (const node of [view.stage.node, view.side.node]) this.sizes.observe(node);
    // On a page of its own the keys are the viewer's at once; beside a notebook's cells, when it is clicked.
    requestAnimationFrame(() => document.activeElement === document.body && view.root.focus({ preventScroll: true }));
  }

  // Whether the viewer is alone on its page, whose address it may then write.
  get alone() { return document.body.dataset.voila === "voila"; }

  watch(seconds) {
    this.clock = setInterval(() => {
      if (!document.hidden) this.view.say({ do: "updates", last: this.view.labels.last });
    }, 1000 * seconds);
  }

  remember(item) {
    if (this.alone && item) history.replaceState(null, "", `${LINK}${encodeURIComponent(item.image)}`);
  }

  follow() {
    if (this.alone && this.view.about && location.hash.startsWith(LINK)) this.view.navigation.jump(location.hash);
  }

  resized() {
    this.view.stage.resize();
    this.view.drawAll();
    this.view.strip.draw();
  }

  hidden() {
    if (document.hidden && this.view.about) this.saveAll();
  }

  saveAll() {
    for (const at of this.view.drafts.byItem.keys()) this.view.drafts.save(at);
  }

  // Ask before something unsaved is left. Other listeners are not told: voila's would end the kernel, and the
  // reviewer may stay.
  leaving(event) {
    if (!this.view.about) return;
    this.saveAll();
    if (!this.view.drafts.pending().length) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    event.returnValue = "";
  }

  close() {
    for (const [target, name, act] of this.events) target.removeEventListener(name, act, { capture: true });
    if (this.view.about) this.saveAll();
    this.model.off("msg:custom", this.receive);
    this.sizes.disconnect();
    clearInterval(this.clock);
    this.view.timers.stop();
    this.view.pictures.close();
  }
}
