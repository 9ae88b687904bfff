// Lines over a picture: their colours, outlines, and circles of uncertainty.
import { path } from "./dom.js";

export const COLOURS = { model: "#ff4438", label: "#ffffff", changed: "#35c8ff", held: "#ffd60a", theirs: "#d66bff",
                         other: "#ffa02e", fault: "#ff2bd6" };

export function outline(context, corners, colour, width, dashes = []) {
  if (!corners) return;
  context.lineJoin = "round";
  context.setLineDash(dashes);
  for (const [stroke, wide] of [["#000a", width + 2], [colour, width]]) {
    path(context, corners);
    context.strokeStyle = stroke;
    context.lineWidth = wide;
    context.stroke();
  }
  context.setLineDash([]);
}

export function radii(context, corners, radius) {
  context.setLineDash([2, 3]);
  context.lineWidth = 1;
  radius?.forEach((each, number) => {
    if (!corners) return;
    context.beginPath();
    context.arc(...corners[number], each, 0, 7);
    context.stroke();
  });
  context.setLineDash([]);
}
