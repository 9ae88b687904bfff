// What stands on the stage beside the lines: messages, a conflict, the label in words, the hole, and buttons for fingers.
import { button, clock, make, short } from "./dom.js";

export function showOverlays(view) {
  const { item, at, order } = view.list, { stage } = view;
  stage.message.textContent = at >= 0 ? view.pictures.broken.get(at) ?? "" : view.items.length ? "no picture fits the search and the filters" : "";
  stage.caption.textContent = item ? caption(view, item, order) : "";
  stage.chips.replaceChildren(...item && !view.labels.points.length ? chips(view, item) : []);
  showConflict(view);
}

// The hole in sight, and which of its pictures in the list this is.
function caption(view, item, order) {
  const same = order.filter((at) => view.items[at].group === item.group);
  return [item.group || "no hole", `${same.indexOf(view.list.at) + 1} of ${same.length}`, item.split].join(" · ");
}

function chips(view, item) {
  const chip = (kind, text) => make("span", `chip ${kind}`, text), { now } = view;
  const answered = (value) => item.unanswered ? "no answer" : `model: ${value}`;
  if (view.labels.boxed) {
    return [chip("white", `label: ${view.boxes.all.length} boxes`), chip("red", answered(`${item.answer.boxes?.length} boxes`)),
            ...view.about.kinds.map((kind, at) => chip("", `${at + 1} ${kind}`))];
  }
  return Object.keys(view.labels.choices).flatMap((name) => [
    chip("white", `label: ${short(now.label[name])}`), chip("red", answered(short(item.answer[name])))]);
}

function showConflict(view) {
  const { banner } = view.stage, conflict = view.drafts.get(view.list.at)?.conflict;
  banner.replaceChildren();
  banner.classList.toggle("open", Boolean(conflict));
  if (!conflict) return;
  const theirs = { label: { ...view.labels.ofTable(view.list.item), ...conflict.label }, status: conflict.status, note: conflict.note };
  const differences = view.labels.differences(view.now, theirs);
  banner.append(
    make("span", "", `${conflict.who} changed this picture at ${clock(conflict.at)} (violet). Your version is not lost. They differ in:`),
    make("ul", "", "", (differences.length ? differences : ["nothing that is kept"]).map((text) => make("li", "", text))),
    button("take theirs", "your version can be had again by Undo", () => settle(view, false)),
    button("save mine on top", "theirs stays in the history", () => settle(view, true)));
}

function settle(view, mine) {
  view.drafts.settle(view.list.at, mine);
  view.root.focus({ preventScroll: true });   // the button that had the keys is gone
  view.show();
  view.pictures.rectify();
}

// Buttons on the stage: all that otherwise needs a keyboard or a wheel.
export function buildTools(view) {
  const { actions, boxes, adjust } = view;
  const tool = (text, title, act) => button(text, title, act);
  const tools = make("div", "tools-bar", "", [
    tool("−", "smaller (−)", () => actions.zoom(0.8)), tool("+", "larger (+)", () => actions.zoom(1.25)),
    tool("Fit", "whole picture (F)", () => actions.fit()),
    tool("1:1", "full resolution (G)", () => actions.zoom(1 / view.stage.camera.scale / devicePixelRatio)),
    tool("↻", "turn the view (V)", () => view.turn(1)), tool("◐", "brightness, contrast, gamma (I, K, L)", () => tools.classList.toggle("adjusting")),
    tool("Lines", "hide or show the lines (H)", () => view.toggleLines()),
    tool("‹ corner", "previous corner or box (Shift Tab)", () => actions.hold(-1)),
    tool("corner ›", "next corner or box (Tab)", () => actions.hold(1)), tool("New box", "draw a box (A)", () => boxes.pen()),
    adjust.panel]);
  tools.querySelectorAll("button").forEach((node) => node.setAttribute("aria-label", node.title));
  return tools;
}
