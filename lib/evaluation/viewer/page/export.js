// The pictures of the list as a table in a file.
import { STATUS } from "./labels.js";

export function exportCsv(view) {
  const rows = view.list.order.map((at) => row(view, view.items[at], view.drafts.now(at)));
  const names = [...new Set(rows.flatMap((each) => Object.keys(each)))];
  const lines = [names, ...rows.map((each) => names.map((name) => each[name]))].map((cells) => cells.map(cell).join(","));
  const address = URL.createObjectURL(new Blob([`\ufeff${lines.join("\r\n")}\r\n`], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `${view.about.task}-${view.about.profile}-${view.about.run}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function row(view, item, now) {
  const { labels } = view, revision = labels.revisions.get(item.source);
  const prefixed = (before, values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [before + name, value]));
  return { image: item.image, source: item.source, hole: item.group, split: item.split,
           status: STATUS[labels.shownStatus(item, now)], reviewer: revision?.who ?? "", at: revision?.at ?? "", note: now.note,
           ...item.scores, suspicion: item.surprise, confidence: item.answer.confidence, refused: item.answer.refused,
           ...prefixed("label_", labels.flat(now.label)), ...prefixed("answer_", labels.ofAnswer(item)) };
}

// A cell of CSV. A text that a spreadsheet would take for a formula gets an apostrophe before it.
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return `${value}`;
  const text = typeof value === "string" ? value.replace(/^([=+\-@\t\r])/, "'$1") : JSON.stringify(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
