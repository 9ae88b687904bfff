// What is in hand: a corner, or a box. It is moved by the arrow keys or with the mouse.

export class Hand {
  constructor(view) {
    this.view = view;
    this.nudged = "";   // what was last moved by the arrow keys
  }

  // Take the next corner, or box, in hand; the enlarged view goes there.
  hold(by) {
    const { stage, boxes, labels } = this.view;
    if (labels.boxed) boxes.next(by);
    else if (this.leavesBox(by)) this.nextBox(by);
    else if (stage.editable()) stage.corner = (stage.corner + by + (stage.corner < 0 && by < 0 ? 5 : 4)) % 4;
    const corners = stage.editable();
    if (!corners) return;
    const target = labels.boxed ? corners[0].map((each, axis) => (each + corners[2][axis]) / 2) : corners[stage.corner];
    if (!stage.camera.fitted) stage.camera.centre(target);
    this.view.drawAll();
    this.view.moved();
  }

  // Whether the next corner is one of another box.
  leavesBox(by) {
    const { stage, quads } = this.view;
    return stage.corner === (by > 0 ? 3 : 0) && Boolean(quads.all[quads.at + by]);
  }

  nextBox(by) {
    this.view.quads.next(by);
    this.view.stage.corner = by > 0 ? 0 : 3;
  }

  layDown() {
    this.view.stage.corner = -1;
    this.view.boxes.pen(false);
    this.view.boxes.take(-1);
  }

  nudge([x, y]) {
    const { stage, boxes } = this.view, corners = stage.editable();
    if (!corners) return;
    const what = `${this.view.list.at} ${stage.box} ${stage.corner}`;
    const merge = this.nudged === what && performance.now() - this.nudgedAt < 1500;
    const by = stage.camera.vector([x * stage.camera.scale, y * stage.camera.scale]);
    if (stage.corner >= 0) this.move(stage.corner, corners[stage.corner].map((each, axis) => each + by[axis]), merge);
    else boxes.shift(by, merge);
    [this.nudged, this.nudgedAt] = [what, performance.now()];
  }

  move(number, [x, y], merge) {
    const { labels, boxes, list } = this.view, { width, height } = list.item;
    if (labels.boxed) return boxes.stretch(number, [x, y], merge);
    const [nameX, nameY] = labels.points[number];
    const far = this.view.quads.box.cut ? 1 : 0.05;   // of the picture's sides: how far a corner may lie outside
    const inside = (value, size) => Math.min((1 + far) * size, Math.max(-far * size, value));
    this.view.quads.change({ [nameX]: inside(x, width), [nameY]: inside(y, height) }, "corner moved", merge);
  }
}
