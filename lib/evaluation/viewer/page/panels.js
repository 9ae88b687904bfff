// The two panels beside the stage: the loupe, and the box seen from straight above with guides along its rows.
import { around, layers, make, path } from "./dom.js";
import { Camera } from "./camera.js";
import { COLOURS } from "./outlines.js";

const ENLARGED = 4;            // CSS pixels of the loupe for a pixel of the picture
const SHORTEST = 130;           // CSS pixels, the height of the rectified box

export class Loupe {
  constructor(view) {
    this.view = view;
    this.layers = layers();
    this.text = make("span");
    this.layers.node.classList.add("loupe");
    this.camera = new Camera(this.layers.node);
    this.node = make("figure", "", "", [this.layers.node, make("figcaption", "", "", [this.text])]);
  }

  draw() {
    const [picture, lines] = this.layers.clear(), { view } = this, { item, at } = view.list, bitmap = view.pictures.preview;
    this.text.textContent = view.labels?.points.length ? "loupe: point, or take a corner (Tab)" : "loupe: point at the picture";
    const point = item && view.stage.target();
    if (!point || !bitmap) return;
    view.pictures.lookAt(point);
    Object.assign(this.camera, { size: [item.width, item.height], turns: view.stage.camera.turns, scale: ENLARGED });
    this.camera.centre(point);
    this.camera.apply(picture);
    picture.imageSmoothingEnabled = false;
    picture.drawImage(bitmap, 0, 0, item.width, item.height);
    const crop = view.pictures.crops.loupe;
    if (crop?.at === at) picture.drawImage(crop.bitmap, ...crop.rect);
    this.drawLabels(lines, item);
    this.drawCross(lines);
    const which = view.stage.corner >= 0 ? `corner ${view.stage.corner + 1}` : "pointer";
    this.text.textContent = `${which}: ${point[0].toFixed(1)}, ${point[1].toFixed(1)} px`;
  }

  drawLabels(context, item) {
    const { labels, now, boxes, quads, stage } = this.view;
    const thin = (corners, colour) => {
      if (!corners) return;
      path(context, corners.map((each) => this.camera.toStage(each)));
      context.strokeStyle = colour;
      context.stroke();
    };
    context.lineWidth = 1;
    if (labels.boxed) {
      item.answer.boxes?.forEach((box) => thin(around(box), COLOURS.model));
      boxes.all.forEach((box, at) => thin(around(box), at === stage.box ? COLOURS.held : COLOURS.label));
      return;
    }
    labels.boxesOf(item.answer).forEach((box) => thin(labels.corners(box), COLOURS.model));
    for (const box of quads.all) thin(labels.corners(box), labels.changed(item, now.label) ? COLOURS.changed : COLOURS.label);
  }

  drawCross(context) {
    const [x, y] = this.camera.middle;
    context.strokeStyle = "#ffd60acc";
    context.beginPath();
    for (const [across, down] of [[14, 0], [0, 14]]) {
      context.moveTo(x - across, y - down);
      context.lineTo(x + across, y + down);
    }
    context.stroke();
  }
}

export class RectifiedBox {
  constructor(view) {
    this.view = view;
    this.layers = layers();
    this.text = make("span");
    this.across = new Map();   // by number of the item: that the guides run across the longer side
    this.layers.node.classList.add("box");
    this.layers.node.title = "click: guides the other way";
    this.layers.node.addEventListener("click", () => this.turnGuides());
    this.node = make("figure", "", "", [this.layers.node, make("figcaption", "", "", [this.text])]);
  }

  turnGuides() {
    const { at } = this.view.list;
    this.across.set(at, !this.across.get(at));
    this.draw();
  }

  // Rows of core run along the longer side of a box; a person can say otherwise by a click.
  get standing() {
    const corners = this.view.stage.cornersShown();
    const side = (one, other) => Math.hypot(...[0, 1].map((axis) => corners[one][axis] - corners[other][axis]));
    return (side(0, 3) + side(1, 2) > side(0, 1) + side(3, 2)) !== Boolean(this.across.get(this.view.list.at));
  }

  draw() {
    const { view } = this, { rectified } = view.pictures, shown = rectified?.at === view.list.at ? rectified : null;
    if (shown?.bitmap) this.setHeight(shown.bitmap);
    const [picture, lines] = this.layers.clear(), [name] = Object.keys(view.about?.choices ?? {});
    const count = name && view.list.item && view.quads.box?.[name];
    this.text.textContent = shown?.error || (name ? `rectified, ${count ?? "–"} ${name === "row_nb" ? "rows" : name}` : "rectified");
    if (!shown?.bitmap) return;
    const [wide, tall] = [this.layers.node.clientWidth, this.layers.node.clientHeight];
    const scale = Math.min(wide / shown.bitmap.width, tall / shown.bitmap.height);
    const [width, height] = [shown.bitmap.width * scale, shown.bitmap.height * scale];
    const frame = [(wide - width) / 2, (tall - height) / 2, width, height];
    picture.imageSmoothingQuality = "high";
    picture.drawImage(shown.bitmap, ...frame);
    if (typeof count === "number" && view.stage.cornersShown()) this.drawGuides(lines, frame, count);
  }

  setHeight(bitmap) {
    const { side } = this.view, most = (side.wide ? 0.5 : 0.28) * side.node.clientHeight;
    const height = Math.max(SHORTEST, Math.min(most, this.layers.node.clientWidth * bitmap.height / bitmap.width));
    this.layers.node.style.height = `${Math.round(height)}px`;
  }

  drawGuides(context, [left, top, width, height], count) {
    const { standing } = this;
    context.strokeStyle = "#35c8ffb0";
    context.setLineDash([4, 4]);
    context.beginPath();
    for (let row = 1; row < count; row++) {
      const share = row / count;
      const [from, to] = standing ? [[left + width * share, top], [left + width * share, top + height]]
        : [[left, top + height * share], [left + width, top + height * share]];
      context.moveTo(...from);
      context.lineTo(...to);
    }
    context.stroke();
    this.layers.node.dataset.guides = standing ? "standing" : "lying";
  }
}
