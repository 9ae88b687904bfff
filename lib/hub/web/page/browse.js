// Browse: labels, selections and their pictures.

import { BLOCK, button, choice, field, input, make, megabytes, number, opening, picture } from "./dom.js";

export const browseTab = {
  async browse() {
    const about = await this.ask("overview");
    const may = this.me.may.includes("select");
    this.query = { labels: [], subtree: true, places: [], licences: [], quality: 0, per_label: 0 };
    const search = input("search", { placeholder: "find a label" });
    search.setAttribute("aria-label", "find a label");
    const list = make("div", "labels");
    const grid = make("div", "grid"), counts = make("div", "counts");
    const place = choice([["", "any place"], ...about.places.map((each) => [each.city ? `${each.country}/${each.city}` : each.country,
      `${each.city || "(no town)"}, ${each.country || "?"} (${number(each.pictures)})`])]);
    const licence = choice([["", "any licence"], ...this.me.licences.map(([id]) => [id, id])]);
    const quality = input("range", { min: 0, max: 1, step: 0.05, value: 0 });
    const most = input("number", { min: 0, value: 0, title: "0: all" });
    const least = input("number", { min: 1, value: 100 });
    const renew = () => {
      clearTimeout(this.later);
      this.later = setTimeout(() => this.run(() => this.select(counts, grid)), 150);
    };
    const change = (node, set) => node.addEventListener("change", () => { set(); renew(); });
    change(place, () => { this.query.places = place.value ? [place.value] : []; });
    change(licence, () => { this.query.licences = licence.value ? [licence.value] : []; });
    change(quality, () => { this.query.quality = Number(quality.value); });
    change(most, () => { this.query.per_label = Number(most.value); });
    search.addEventListener("input", () => this.showLabels(list, about, search.value, renew));
    const made = button("Make a data set", () => this.run(async () => {
      const { version } = await this.ask("version", { query: this.query });
      await this.turn("Data sets");
      this.say(`data set ${version.id}: ${number(version.pictures)} pictures`);
    }), "main");
    const watch = button("Tell me", () => this.run(async () => {
      await this.ask("watch", { query: this.query, least: Number(least.value) });
    }, "it is on your watch-list"));
    this.sheet.replaceChildren(make("div", "split", "", [
      make("aside", "", "", [search, list]),
      make("section", "", "", [
        make("div", "fields", "", [field("Place", place), field("Licence", licence), field("At least of quality", quality),
                                   field("At most of each label", most)]),
        counts,
        make("div", "row", "", may ? [made, make("span", "soft", "or when there are"), field("of each label", least), watch] : []),
        grid])]));
    this.showLabels(list, about, "", renew);
    if (may) await this.select(counts, grid);
    else counts.textContent = "Pictures are chosen by those with the role customer or premium.";
    this.ready("Browse");
  },

  showLabels(list, about, wanted, renew) {
    const below = new Map(), byId = new Map(about.tree.map((label) => [label.id, label]));
    for (const label of about.tree) for (const parent of label.parents.length ? label.parents : [0]) {
      below.set(parent, [...(below.get(parent) ?? []), label]);
    }
    const rows = [];
    const walk = (id, depth, seen) => {
      for (const label of below.get(id) ?? []) {
        if (seen.has(label.id) || rows.length > 1500) continue;
        const count = about.counts[label.name] ?? 0;
        if (wanted ? label.name.toLowerCase().includes(wanted.toLowerCase()) : count) rows.push([label, depth, count]);
        walk(label.id, depth + 1, new Set([...seen, label.id]));
      }
    };
    walk(0, 0, new Set());
    list.replaceChildren(...rows.slice(0, 400).map(([label, depth, count]) => {
      const box = input("checkbox", { checked: this.query.labels.includes(label.name) });
      box.setAttribute("aria-label", label.name);
      box.addEventListener("change", () => {
        this.query.labels = box.checked ? [...this.query.labels, label.name] : this.query.labels.filter((name) => name !== label.name);
        renew();
      });
      const line = make("label", "", "", [box, make("span", "grow", label.name), make("small", "", number(count))]);
      line.style.paddingLeft = `${wanted ? 0 : depth * 14}px`;
      return line;
    }), ...(rows.length ? [] : [make("p", "soft", wanted ? "no such label" : "no accepted pictures yet")]));
    return byId;
  },

  async select(counts, grid) {
    const turn = this.turned = (this.turned ?? 0) + 1;
    const found = await this.ask("select", { query: this.query });
    if (turn !== this.turned || this.tab !== "Browse") return;
    const often = Object.entries(found.labels).sort((one, other) => other[1] - one[1]).slice(0, 12);
    counts.replaceChildren(make("b", "", `${number(found.total)} pictures`), make("span", "soft", ` · ${megabytes(found.bytes)}`),
      make("div", "soft", often.map(([name, count]) => `${name} ${number(count)}`).join(" · ")));
    this.root.dataset.total = String(found.total);
    grid.replaceChildren();
    const more = button("Show more", () => this.run(() => next()), "more");
    let at = 0;
    const next = async () => {
      const block = found.pictures.slice(at, at + BLOCK);
      at += BLOCK;
      const answer = block.length ? await this.ask("thumbs", { ids: block.map((each) => each.id) }) : { buffers: [] };
      if (turn !== this.turned) return;
      more.remove();
      grid.append(...block.map((each, n) => this.card(each, answer.buffers[n])));
      if (at < found.pictures.length) grid.append(more);
    };
    await next();
  },

  card(each, thumb) {
    const shown = this.thumbnail(each.id, thumb, each.labels.join(", "));
    return make("figure", "card", "", [shown, make("figcaption", "", each.labels.join(", ")),
      make("small", "", [each.place, each.licence, each.author].filter(Boolean).join(" · "))]);
  },

  // --- one picture
  thumbnail(id, thumb, name) {
    if (!thumb?.byteLength) return make("div", "gone", "no picture");
    return opening(picture(thumb, "image/jpeg", name), name || `picture ${id}`, () => this.run(async () => {
      const answer = await this.ask("picture", { id });
      this.show(picture(answer.buffers[0], "image/jpeg", name), `picture ${id}: ${name}`);
    }));
  },

  // A picture over the page; Escape, the button, or a click beside it closes it.
  show(shown, title) {
    const dialog = make("dialog", "large", "", [make("div", "row", "", [make("b", "grow", title), button("Close", () => dialog.close())]), shown]);
    dialog.setAttribute("aria-label", title);
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => dialog.remove());
    this.root.append(dialog);
    dialog.showModal();
  },
};
