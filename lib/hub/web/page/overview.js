// Overview: what is in the hub, counted and drawn.

import { make, number, picture } from "./dom.js";

export const overviewTab = {
  async overview() {
    const about = await this.ask("overview");
    const figures = make("div", "figures");
    const facts = [["accepted pictures", number(about.total)], ["labels in use", number(about.labels)],
                   ["towns", number(about.places.filter((each) => each.city).length)], ["mean quality", about.total ? about.quality.toFixed(2) : "–"]];
    this.sheet.replaceChildren(
      make("div", "facts", "", facts.map(([name, value]) => make("div", "fact", "", [make("b", "", value), make("span", "", name)]))),
      figures);
    const names = [["labels", "By label"], ["world", "By place"], ["quality", "By quality and day"]];
    const cells = names.map(([, title]) => make("figure", "", "", [make("figcaption", "", title)]));
    figures.append(...cells);
    await Promise.all(names.map(async ([name, title], at) => {
      const answer = await this.ask("figure", { name });
      cells[at].append(picture(answer.buffers[0], "image/png", title));
    }));
    this.ready("Overview");
  },
};
