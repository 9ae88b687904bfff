// The view onto a picture: how far it is enlarged, moved and turned (by quarters, clockwise).

const MARGIN = 28, MOST = 40;
const TURNS = [[1, 0, 0, 1], [0, 1, -1, 0], [-1, 0, 0, -1], [0, -1, 1, 0]];   // a b c d of the canvas

export class Camera {
  constructor(node) {
    this.node = node;
    this.size = [1, 1];
    this.scale = 1; this.left = 0; this.top = 0;
    this.turns = 0;
    this.fitted = true;
  }

  get turnedSize() { return this.turns % 2 ? [this.size[1], this.size[0]] : this.size; }

  get fitScale() {
    const [width, height] = this.turnedSize;
    return Math.max(1e-3, Math.min((this.node.clientWidth - MARGIN) / width, (this.node.clientHeight - MARGIN) / height));
  }

  // Another picture: a whole picture is shown whole, an enlarged one in the same place and enlarged as much.
  open(size) {
    const zoom = this.scale / this.fitScale, middle = this.toPicture(this.middle);
    const share = middle.map((each, axis) => each / this.size[axis]);
    this.size = size;
    if (this.fitted) return this.fit();
    this.scale = this.fitScale * zoom;
    this.centre(share.map((each, axis) => each * size[axis]));
  }

  fit() {
    this.fitted = true;
    this.scale = this.fitScale;
    [this.left, this.top] = this.turnedSize.map((each, axis) => this.middle[axis] - each * this.scale / 2);
  }

  get middle() { return [this.node.clientWidth / 2, this.node.clientHeight / 2]; }

  // Have a point of the picture in the middle of the stage.
  centre(point) {
    const [x, y] = this.toStage(point);
    this.move([this.middle[0] - x, this.middle[1] - y]);
  }

  move([x, y]) {
    this.left += x;
    this.top += y;
    this.fitted = false;
  }

  zoom(by, [x, y] = this.middle) {
    const scale = Math.min(MOST, Math.max(this.fitScale / 2, this.scale * by));
    this.left = x - (x - this.left) * scale / this.scale;
    this.top = y - (y - this.top) * scale / this.scale;
    this.scale = scale;
    this.fitted = false;
  }

  turn(by) {
    const point = this.toPicture(this.middle);
    this.turns = (this.turns + by + 4) % 4;
    if (this.fitted) return this.fit();
    this.centre(point);
  }

  toStage([x, y]) {
    const [a, b, c, d] = TURNS[this.turns], [right, down] = originOf(this);
    return [(a * x + c * y + right) * this.scale + this.left, (b * x + d * y + down) * this.scale + this.top];
  }

  toPicture([x, y]) {
    const [right, down] = originOf(this);
    return this.vector([x - this.left - right * this.scale, y - this.top - down * this.scale]);
  }

  // A way on the stage as one in the picture.
  vector([x, y]) {
    const [a, b, c, d] = TURNS[this.turns];
    return [(a * x + b * y) / this.scale, (c * x + d * y) / this.scale];
  }

  // Let a canvas be drawn on in pixels of the picture.
  apply(context) {
    const [a, b, c, d] = TURNS[this.turns], [right, down] = originOf(this), { scale } = this;
    context.transform(a * scale, b * scale, c * scale, d * scale, right * scale + this.left, down * scale + this.top);
  }

  // The rectangle of the picture that is seen: x, y, width, height.
  seen() {
    const corners = [[0, 0], [this.node.clientWidth, this.node.clientHeight]].map((each) => this.toPicture(each));
    const [first, last] = [Math.min, Math.max].map((pick) => [0, 1].map((axis) =>
      Math.min(this.size[axis], Math.max(0, pick(corners[0][axis], corners[1][axis])))));
    return [...first, last[0] - first[0], last[1] - first[1]];
  }
}

// Where the picture's first corner comes to lie when it is turned, in pixels of the picture.
function originOf({ size: [width, height], turns }) {
  return [[0, 0], [height, 0], [width, height], [0, width]][turns];
}
