// Trainings on demand.

import { button, choice, day, field, input, make, number, opening, picture, table } from "./dom.js";

const BACKBONES = ["small", "residual", "MobileNetV2", "EfficientNetB0", "VGG16", "ResNet50"];
const PHASES = { "01": "gathering pictures", "02": "training", "03": "scoring", "04": "trying the API" };
const RUNNING = ["queued", "running"];

export const trainingsTab = {
  async trainings() {
    const { versions } = await this.ask("versions");
    const version = choice(versions.map((each) => [each.id, `${each.id}: ${number(each.pictures)} pictures`]),
      String(this.chosen ?? versions[0]?.id ?? ""));
    const backbone = choice(BACKBONES.map((name) => [name, name]), "small");
    const weights = choice([["none", "none"], ["imagenet", "ImageNet"]], "none");
    const epochs = input("number", { min: 1, max: 1000, placeholder: "as usual" });
    const rate = input("number", { min: 0, step: "any", placeholder: "as usual" });
    this.list = make("div", "trainings");
    const doubt = make("p", "bad");
    const judge = () => {
      const chosen = versions.find((each) => String(each.id) === version.value);
      doubt.textContent = chosen && Object.keys(chosen.counts).length < 2
        ? "All pictures of this data set have the same label, or none: a training has nothing to tell apart." : "";
    };
    version.addEventListener("change", judge);
    judge();
    const asked = button("Ask for a training", () => this.run(async () => {
      const overrides = { "model.backbone": backbone.value };
      if (weights.value !== "none") Object.assign(overrides, { "model.weights": weights.value, "model.trainable": false });
      if (epochs.value) overrides["training.epochs"] = Number(epochs.value);
      if (rate.value) overrides["training.learning_rate"] = Number(rate.value);
      await this.ask("train", { version: Number(version.value), overrides });
      await this.showTrainings();
    }, "it is in the queue"), "main");
    this.sheet.replaceChildren(make("section", "", "", [make("h2", "", `A model of your own for the task ${this.me.task}`),
      make("div", "fields", "", [field("Data set", version), field("Network", backbone), field("Weights to begin with", weights),
        field("Epochs", epochs), field("Learning rate", rate)]),
      doubt, make("div", "row", "", [asked, make("span", "soft", `profile ${this.me.profile}`)])]), this.list);
    asked.disabled = !versions.length;
    this.drawn = new Map();
    await this.showTrainings();
    this.clock = setInterval(() => this.showTrainings().catch((error) => this.say(error.message, "bad")),
      Math.max(1000, 1000 * this.me.beat));
    this.ready("Trainings");
  },

  async showTrainings() {
    const { trainings } = await this.ask("trainings");
    if (this.tab !== "Trainings") return;
    for (const each of trainings) {
      const mark = JSON.stringify([each.state, each.progress, each.attempts, each.cancel]);
      const old = this.drawn.get(each.id);
      if (old?.mark === mark) continue;
      const card = this.training(each);
      if (old) old.card.replaceWith(card);
      else this.list.prepend(card);
      this.drawn.set(each.id, { mark, card });
    }
    const order = trainings.map((each) => this.drawn.get(each.id).card);
    if (order.some((card, at) => this.list.children[at] !== card)) this.list.replaceChildren(...order);
  },

  training(each) {
    const { overrides, task } = each.request, running = RUNNING.includes(each.state);
    const state = each.cancel && running ? "being cancelled" : each.state !== "running" ? each.state
      : `running, step ${Number(each.progress?.phase ?? 1)} of 4: ${PHASES[each.progress?.phase] ?? PHASES["01"]}`;
    const acts = [];
    if (running && !each.cancel) acts.push(button("Cancel", () => this.run(async () => {
      await this.ask("cancel", { number: each.id });
      await this.showTrainings();
    })));
    if (!running) acts.push(button("Once more", () => this.run(async () => {
      await this.ask("retry", { number: each.id });
      await this.showTrainings();
    }, "it is in the queue")));
    if (each.state === "done") acts.push(button("Download the model", () => this.run(async () => {
      const { address } = await this.ask("ticket", { of: "training", number: each.id });
      this.fetchFile(address);
    }, "the download begins"), "main"));
    const history = each.result?.history ?? each.progress?.history ?? [];
    const card = make("section", "training", "", [
      make("div", "row", "", [make("b", "", `Training ${each.id}`), make("span", `state ${each.state}`, state),
        make("span", "soft grow", `task ${task} · data set ${each.version} · ${overrides["model.backbone"] ?? "small"} · asked ${day(each.created)}`
        + (each.finished ? ` · ended ${day(each.finished)}` : "")), ...acts]),
      ...(each.error ? [make("p", "bad", each.error)] : []),
      ...(each.result?.warnings ?? []).map((text) => make("p", "warning", `Warning: ${text}.`))]);
    card.dataset.training = String(each.id);
    card.dataset.state = each.state;
    if (history.length) card.append(this.curve(history));
    if (each.result) {
      card.append(table(["score", "this model", "interval", "constant answer"], each.result.scores.map((line) => [
        line.score.replaceAll("_", " "), (line.mean ?? NaN).toFixed(3), line.low === null ? "" : `${line.low?.toFixed(3)} – ${line.high?.toFixed(3)}`,
        line.constant === null ? "" : line.constant?.toFixed(3)])));
      const shelf = make("div", "figures");
      const names = Object.keys(each.result.files).filter((name) => name.endsWith(".png"));
      const more = button(`Show ${names.length} figures`, () => this.run(async () => {
        more.remove();
        for (const name of names) {
          const answer = await this.ask("file", { number: each.id, name });
          const title = name.replace("figures/", "").replace(".png", ""), [buffer] = answer.buffers;
          shelf.append(make("figure", "", "", [make("figcaption", "", title),
            opening(picture(buffer, "image/png", title), title, () => this.show(picture(buffer, "image/png", title), title))]));
        }
        shelf.dataset.shown = String(names.length);
      }));
      if (names.length) card.append(more, shelf);
    }
    return card;
  },

  // Training (ochre) and validation (blue) loss by epoch.
  curve(history) {
    const space = "http://www.w3.org/2000/svg", wide = 560, high = 150, left = 44, low = 24;
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    svg.setAttribute("class", "curve");
    svg.setAttribute("role", "img");
    const losses = history.flatMap((line) => [line.loss, line.val_loss]).filter((value) => Number.isFinite(value));
    const top = Math.max(...losses), least = Math.min(0, ...losses), last = Math.max(2, history.length);
    const x = (at) => left + (at / (last - 1)) * (wide - left - 8), y = (value) => 8 + (1 - (value - least) / (top - least || 1)) * (high - low - 8);
    svg.setAttribute("aria-label", `loss over ${history.length} epochs`);
    const draw = (name, values, text = "") => {
      const node = document.createElementNS(space, name);
      for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
      node.textContent = text;
      svg.append(node);
    };
    for (const value of [least, (top + least) / 2, top]) {
      draw("line", { x1: left, x2: wide - 8, y1: y(value), y2: y(value), class: "rule" });
      draw("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, value.toPrecision(2));
    }
    draw("text", { x: wide - 8, y: high - 6, "text-anchor": "end" }, `epoch ${history.length}`);
    draw("text", { x: left, y: high - 6 }, "loss: learning (ochre), validation (blue)");
    for (const [key, colour] of [["loss", "#b0892f"], ["val_loss", "#2f6fb0"]]) {
      const points = history.map((line, at) => [line[key], at]).filter(([value]) => Number.isFinite(value));
      draw("polyline", { points: points.map(([value, at]) => `${x(at)},${y(value)}`).join(" "), stroke: colour, fill: "none" });
      for (const [value, at] of points.length < 3 ? points : []) draw("circle", { cx: x(at), cy: y(value), r: 2.5, fill: colour });
    }
    return svg;
  },
};
