// Parts of the page: elements, tables and pictures; texts are set as text, never as markup.

export const number = (value) => Number(value ?? 0).toLocaleString("en");
export const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
export const day = (text) => (text ?? "").replace("T", " ").slice(0, 16);
export const BLOCK = 24;       // thumbnails asked for at once

export function make(name, className = "", text = "", parts = []) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== "") node.textContent = text;
  node.append(...parts);
  return node;
}

// A picture that opens large when it is clicked.
export function opening(shown, name, open) {
  const node = make("button", "opening", "", [shown]);
  node.type = "button";
  node.setAttribute("aria-label", `open ${name}`);
  node.addEventListener("click", open);
  return node;
}

export function button(text, act, className = "") {
  const node = make("button", className, text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

export function field(name, input, hint = "") {
  input.setAttribute("aria-label", name);
  return make("label", "field", "", [make("span", "", name), input, ...(hint ? [make("small", "", hint)] : [])]);
}

export function input(type, values = {}) {
  return Object.assign(make("input"), { type, ...values });
}

export function choice(options, chosen = "") {
  const node = make("select", "", "", options.map(([value, text]) => Object.assign(make("option", "", text), { value })));
  node.value = chosen;
  return node;
}

export function table(head, rows) {
  return make("table", "", "", [
    make("thead", "", "", [make("tr", "", "", head.map((text) => make(text ? "th" : "td", "", text)))]),
    make("tbody", "", "", rows.map((cells) => make("tr", "", "", cells.map((cell) =>
      cell instanceof Node ? make("td", "", "", [cell]) : make("td", typeof cell === "number" ? "number" : "",
        typeof cell === "number" ? number(cell) : String(cell ?? "")))))),
  ]);
}

export function picture(buffer, kind, alt) {
  const node = Object.assign(make("img"), { alt });
  node.src = URL.createObjectURL(new Blob([buffer], { type: kind }));
  node.addEventListener("load", () => URL.revokeObjectURL(node.src), { once: true });
  return node;
}

// A name for what is sent, so that the same files with the same words are the same submission (two FNV-1a hashes).
export function nameOf(text) {
  let one = 0x811c9dc5, two = 0x9dc5811c;
  for (let at = 0; at < text.length; at++) {
    one = Math.imul(one ^ text.charCodeAt(at), 0x01000193) >>> 0;
    two = Math.imul(two ^ text.charCodeAt(text.length - 1 - at), 0x01000193) >>> 0;
  }
  return `page-${one.toString(16).padStart(8, "0")}${two.toString(16).padStart(8, "0")}`;
}

export async function sha256(buffer) {
  if (!globalThis.crypto?.subtle) return "";   // a page without HTTPS has none; the server counts by itself
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", buffer))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
