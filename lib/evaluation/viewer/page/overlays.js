// What stands on the stage beside the lines: messages, a conflict, the label in words.
import { button, clock, make, short } from "./dom.js";

export function showOverlays(view) {
  const { item, at } = view.list, { stage } = view;
  stage.message.textContent = at >= 0 ? view.pictures.broken.get(at) ?? "" : view.items.length ? "no picture fits the search and the filters" : "";
  stage.chips.replaceChildren(...item && !view.labels.points.length ? chips(view, item) : []);
  showConflict(view);
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
  const theirs = { label: { ...view.labels.ofTable(view.list.item), ...view.labels.own(conflict.label) }, status: conflict.status, note: conflict.note };
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
