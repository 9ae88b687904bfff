// Buttons for how the picture is seen: what otherwise needs a keyboard or a wheel.
import { button, make } from "./dom.js";

export function buildTools(view) {
  const { boxes, hand, stage } = view, tool = (text, title, act) => button(text, title, act);
  const tools = make("div", "view-tools", "", [
    tool("−", "smaller (−)", () => stage.zoom(0.8)), tool("+", "larger (+)", () => stage.zoom(1.25)),
    tool("Fit", "whole picture (F)", () => stage.fit()),
    tool("1:1", "full resolution (G)", () => stage.zoom(1 / stage.camera.scale / devicePixelRatio)),
    tool("↻", "turn the view (V)", () => view.turn(1)), tool("◐", "brightness, contrast, gamma (I, K, L)", () => view.root.classList.toggle("adjusting")),
    tool("Lines", "hide or show the lines (H)", () => view.toggleLines()),
    tool("‹ corner", "previous corner or box (Shift Tab)", () => hand.hold(-1)),
    tool("corner ›", "next corner or box (Tab)", () => hand.hold(1)), tool("New box", "draw a box (A)", () => boxes.pen())]);
  tools.querySelectorAll("button").forEach((node) => node.setAttribute("aria-label", node.title));
  return tools;
}
