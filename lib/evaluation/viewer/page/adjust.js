// Brightness, contrast and gamma of the pictures as they are shown, for dark core; nothing of it is saved in labels.
import { button, make, recall, remember } from "./dom.js";

const RANGES = { gamma: [1, 0.3, 4], brightness: [1, 0.3, 4], contrast: [1, 0.3, 4] };   // plain, least, most
const STEP = 1.15;

export class Adjustments {
  constructor(root, id) {
    this.values = plain();
    this.changed = () => {};
    try { Object.assign(this.values, JSON.parse(recall("adjustments") || "{}")); } catch { /* plain */ }
    this.root = root;
    this.id = `corebox-adjust-${id}`;
    this.filter = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.filter.setAttribute("class", "filters");
    this.filter.setAttribute("aria-hidden", "true");
    root.append(this.filter);
    this.panel = this.build();
    this.apply();
  }

  get isPlain() { return Object.entries(RANGES).every(([name, [value]]) => this.values[name] === value); }

  build() {
    this.sliders = Object.entries(RANGES).map(([name, [, least, most]]) => {
      const slider = make("input");
      Object.assign(slider, { type: "range", min: Math.log(least), max: Math.log(most), step: 0.01 });
      slider.setAttribute("aria-label", name);
      slider.addEventListener("input", () => this.set(name, Math.abs(slider.value) < 0.03 ? 1 : Math.exp(slider.value)));
      return [name, slider, make("output")];
    });
    const lines = this.sliders.map(([name, slider, value]) => make("label", "", "", [make("span", "", name), slider, value]));
    return make("div", "adjust", "", [...lines, button("as it is", "brightness, contrast and gamma as they are (W)", () => this.reset())]);
  }

  set(name, value) {
    const [, least, most] = RANGES[name];
    this.values[name] = Math.min(most, Math.max(least, Math.abs(value - 1) < 0.02 ? 1 : value));
    this.apply();
  }

  step(name, up) { this.set(name, this.values[name] * (up ? STEP : 1 / STEP)); }

  reset() {
    this.values = plain();
    this.apply();
  }

  // Light that is x of the range becomes contrast · (brightness · x^(1 / gamma) − 1/2) + 1/2.
  apply() {
    const { gamma, brightness, contrast } = this.values;
    const channel = (type, facts) => ["R", "G", "B"].map((name) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", `feFunc${name}`);
      for (const [key, value] of Object.entries({ type, ...facts })) node.setAttribute(key, value);
      return node;
    });
    const transfers = [["gamma", { amplitude: 1, exponent: 1 / gamma, offset: 0 }],
                       ["linear", { slope: brightness * contrast, intercept: (1 - contrast) / 2 }]];
    const filter = document.createElementNS("http://www.w3.org/2000/svg", "filter");
    filter.setAttribute("id", this.id);
    filter.setAttribute("color-interpolation-filters", "sRGB");
    for (const transfer of transfers) {
      const node = document.createElementNS("http://www.w3.org/2000/svg", "feComponentTransfer");
      node.append(...channel(...transfer));
      filter.append(node);
    }
    this.filter.replaceChildren(filter);
    this.root.style.setProperty("--adjust", this.isPlain ? "none" : `url(#${this.id})`);
    for (const [name, slider, value] of this.sliders) {
      slider.value = Math.log(this.values[name]);
      value.textContent = this.values[name].toFixed(2);
    }
    remember("adjustments", JSON.stringify(this.values));
    this.changed();
  }
}

const plain = () => Object.fromEntries(Object.entries(RANGES).map(([name, [value]]) => [name, value]));
