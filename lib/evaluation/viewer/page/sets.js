// What concerns many pictures: the whole table, the answers of another run, and accepting in bulk.

export function askWholeTable(view) {
  if (view.wholeTable) return;
  view.wholeTable = true;
  view.say({ do: "whole_table" });
}

export function addItems(view, items) {
  view.items.push(...items);
  view.bar.addHoles(items);
  view.navigation.arrange();
}

export function compare(view, run) {
  for (const item of view.items) delete item.other, delete item.apart;
  view.otherRun = run;
  if (run) view.say({ do: "compare", run });
  else view.show();
}

// The other run's answers came: {image: {answer, scores}}.
export function compared(view, run, answers) {
  if (run !== view.otherRun) return;
  for (const item of view.items) {
    item.other = answers[item.image];
    if (item.other && !item.unanswered) item.apart = apart(view.labels, item.answer, item.other.answer);
  }
  view.navigation.arrange();
}

// How much two answers differ: px between corners on average, number of boxes, or 1 for another choice; null: not known.
function apart(labels, one, other) {
  const [mine, theirs] = [labels.corners(one), labels.corners(other)];
  if (mine && theirs) return mine.reduce((sum, [x, y], at) => sum + Math.hypot(x - theirs[at][0], y - theirs[at][1]), 0) / 4;
  if (labels.points.length) return null;
  if (labels.boxed) return Math.abs((one.boxes ?? []).length - (other.boxes ?? []).length);
  return Object.keys(labels.choices).some((name) => one[name] !== other[name]) ? 1 : 0;
}

// The pictures of the list that are to do, whose answers are sure and agree with their labels.
export function sureOnes(view, least) {
  const { labels, drafts, items } = view;
  return view.list.order.filter((at) => {
    const item = items[at], { answer } = item;
    if (item.unanswered || !item.truth || item.suspect || answer.refused || drafts.get(at)) return false;
    if (labels.shownStatus(item) || labels.fault(labels.kept(item).label)) return false;
    const sure = (answer.confidence ?? Math.max(...Object.values(answer.probabilities ?? { none: 1 }))) >= least;
    return sure && item.surprise != null && item.surprise <= 1 && labels.agrees(item);
  });
}

export function acceptMany(view, least) {
  const many = sureOnes(view, least);
  if (many.length) view.drafts.history.acceptAll(many, "accepted in bulk");
  view.notify(many.length ? `${many.length} accepted; Undo takes them back` : "no picture of this list is sure and agrees with its label", "good");
  view.show();
  view.strip.draw();
}
