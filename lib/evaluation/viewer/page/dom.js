// Elements of the page, and small functions on values. Texts are set as text, never as markup.

export function make(name, className = "", text = "", parts = []) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  node.append(...parts);
  return node;
}

export function button(text, title, act, className = "") {
  const node = make("button", className, text);
  node.type = "button";
  node.title = title;
  node.addEventListener("click", act);
  return node;
}

export function keyButton(text, title, key, act, className = "") {
  const node = button(text, `${title} (${key})`, act, className);
  node.append(make("kbd", "", key));
  return node;
}

export function icon(path, title, act) {
  const node = button("", title, act, "icon"), space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg"), line = document.createElementNS(space, "path");
  picture.setAttribute("viewBox", "0 0 16 16");
  line.setAttribute("d", path);
  picture.append(line);
  node.append(picture);
  node.setAttribute("aria-label", title);
  return node;
}

export function select(label, options, changed) {
  const node = make("select");
  node.setAttribute("aria-label", label);
  node.title = label;
  addOptions(node, options);
  node.addEventListener("change", () => {
    changed(node.value);
    node.closest(".corebox").focus({ preventScroll: true });
  });
  return node;
}

export function addOptions(node, options) {
  for (const [value, text] of options) {
    const option = make("option", "", text);
    option.value = value;
    node.append(option);
  }
}

export function input(label, placeholder = "", type = "text") {
  const node = make("input");
  node.type = type;
  node.placeholder = placeholder;
  node.setAttribute("aria-label", label);
  return node;
}

// Two canvases, one on the other: the picture, which the adjustments change, and the lines, which they do not.
export function layers() {
  const [picture, lines] = [make("canvas", "picture"), make("canvas", "lines")];
  const node = make("div", "layers", "", [picture, lines]);
  const clear = () => {
    const [width, height] = [node.clientWidth, node.clientHeight];
    return [picture, lines].map((canvas) => {
      canvas.width = Math.round(width * devicePixelRatio);
      canvas.height = Math.round(height * devicePixelRatio);
      const context = canvas.getContext("2d");
      context.scale(devicePixelRatio, devicePixelRatio);
      return context;
    });
  };
  return { node, picture, lines, clear };
}

export function path(context, points) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  context.closePath();
}

export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
export const short = (value) => typeof value !== "number" ? `${value ?? "–"}`
  : Number.isInteger(value) || Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3);
export const clock = (iso) => new Date(iso).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
export const around = ([left, top, right, bottom]) => [[left, top], [right, top], [right, bottom], [left, bottom]];

// What the browser remembers from visit to visit; a private window may have no store.
export function recall(name) {
  try { return localStorage.getItem(`corebox-${name}`) ?? ""; } catch { return ""; }
}

export function remember(name, value) {
  try { localStorage.setItem(`corebox-${name}`, value); } catch { /* it is asked again next time */ }
}

export function fullScreen(node) {
  if (document.fullscreenElement) document.exitFullscreen();
  else node.requestFullscreen?.();
}

// Calls that are put off: until the next frame, or until nothing was asked for a while.
export class Timers {
  constructor() {
    this.running = new Map();
  }

  frame(name, act) {
    if (this.running.has(name)) return;
    this.running.set(name, requestAnimationFrame(() => { this.running.delete(name); act(); }));
  }

  after(name, milliseconds, act) {
    clearTimeout(this.running.get(name));
    this.running.set(name, setTimeout(() => { this.running.delete(name); act(); }, milliseconds));
  }

  stop() {
    for (const timer of this.running.values()) { clearTimeout(timer); cancelAnimationFrame(timer); }
    this.running.clear();
  }
}
