// Mouse, pen and fingers on the stage: drag corners and boxes, move the picture, zoom by wheel or with two fingers.

const SLOW = 8;   // a corner that is dragged with Alt moves this many times less

export class Gestures {
  constructor(view) {
    this.view = view;
    this.stage = view.stage;
    this.touches = new Map();   // by pointer: where it is
    const { node, handles, canvas } = this.stage;
    handles.forEach((handle, number) => handle.addEventListener("pointerdown", (event) => this.grab(event, number)));
    node.addEventListener("pointerdown", (event) => this.down(event));
    node.addEventListener("pointermove", (event) => this.hover(event));
    for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, (event) => this.touches.delete(event.pointerId));
    node.addEventListener("pointerleave", () => { this.stage.pointer = null; view.timers.frame("loupe", () => view.loupe.draw()); });
    node.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", () => view.stage.fit());
  }

  get camera() { return this.stage.camera; }

  // Where an event is on the stage, in CSS pixels.
  place(event) {
    const frame = this.stage.node.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  inPicture(event) { return this.camera.toPicture(this.place(event)); }

  // Call `go` for each move of a pressed pointer, until it is let go.
  drag(node, event, go, stop = () => {}) {
    event.preventDefault();
    this.view.root.focus({ preventScroll: true });
    node.setPointerCapture(event.pointerId);
    const move = (next) => { if (this.touches.size < 2) go(next); };
    const end = () => {
      node.removeEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) node.removeEventListener(name, end);
      stop();
    };
    node.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, end);
  }

  down(event) {
    if (event.button || event.target !== this.stage.canvas || !this.view.list.item) return;
    if (event.pointerType === "touch") this.touches.set(event.pointerId, this.place(event));
    if (this.touches.size > 1) return;
    const { boxes, quads, labels } = this.view, start = this.inPicture(event);
    const draws = boxes.drawing || event.shiftKey && (labels.boxed || labels.several), under = boxes.under(start);
    if (labels.several && draws && !this.view.readOnly) return this.press(event, start, draws, -1);
    if (labels.several) quads.choose(quads.under(start));
    if (labels.boxed && !this.view.readOnly && (draws || under >= 0)) return this.press(event, start, draws, under);
    if (this.stage.box >= 0) boxes.take(-1);
    this.pan(event);
  }

  pan(event) {
    let last = this.place(event);
    this.drag(this.stage.canvas, event, (next) => {
      const here = this.place(next);
      this.camera.move([here[0] - last[0], here[1] - last[1]]);
      last = here;
      this.view.moved();
    });
  }

  press(event, start, draws, under) {
    const { boxes, quads, labels } = this.view, drawn = labels.several ? quads : boxes;
    if (draws && !this.view.actions.ready()) return;
    let last = start, moved = false;
    if (!draws) boxes.take(under);
    this.drag(this.stage.canvas, event, (next) => {
      const here = this.inPicture(next);
      if (!moved && Math.hypot(here[0] - start[0], here[1] - start[1]) * this.camera.scale < 3) return;
      if (draws) drawn.spread(boxes.within(start), boxes.within(here), moved);
      else boxes.shift([here[0] - last[0], here[1] - last[1]], moved);
      [last, moved] = [here, true];
    }, () => { if (draws) boxes.pen(false); });
  }

  grab(event, number) {
    if (event.button) return;
    event.stopPropagation();
    if (!this.view.actions.ready()) return event.preventDefault();
    this.stage.corner = number;
    const start = this.stage.editable()[number];
    let last = [event.clientX, event.clientY], place = start, moved = false;
    this.drag(event.currentTarget, event, (next) => {
      const by = this.camera.vector([next.clientX - last[0], next.clientY - last[1]]);
      place = place.map((each, axis) => each + by[axis] / (next.altKey ? SLOW : 1));
      last = [next.clientX, next.clientY];
      if (!moved && Math.hypot(place[0] - start[0], place[1] - start[1]) * this.camera.scale <= 0.01) return;
      this.view.hand.move(number, place, moved);
      moved = true;
    });
    this.view.drawAll();
  }

  hover(event) {
    if (this.touches.has(event.pointerId)) this.pinch(event);
    this.stage.pointer = this.inPicture(event);
    if (this.stage.corner < 0) this.view.timers.frame("loupe", () => this.view.loupe.draw());
  }

  // Two fingers: zoom about their middle, and move with it.
  pinch(event) {
    const before = [...this.touches.values()];
    this.touches.set(event.pointerId, this.place(event));
    if (this.touches.size !== 2) return;
    const after = [...this.touches.values()];
    const middle = ([one, other]) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
    const apart = ([one, other]) => Math.max(1, Math.hypot(one[0] - other[0], one[1] - other[1]));
    const [from, to] = [middle(before), middle(after)];
    this.camera.zoom(apart(after) / apart(before), from);
    this.camera.move([to[0] - from[0], to[1] - from[1]]);
    this.view.moved();
  }

  wheel(event) {
    if (!this.view.root.contains(document.activeElement) && !event.ctrlKey) return;   // until it is clicked, the page scrolls
    event.preventDefault();
    event.stopPropagation();
    const steps = event.deltaMode ? event.deltaY * 30 : event.deltaY;
    this.view.stage.zoom(Math.exp(-steps / 400), this.place(event));
  }
}
