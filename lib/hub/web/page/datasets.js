// Data sets: versions to download, and the watch-list.

import { button, day, input, make, megabytes, number, table } from "./dom.js";

const FORMATS = ["folders", "coco", "yolo", "openimages", "parquet"];

export const datasetsTab = {
  async sets() {
    const [{ versions }, { watches }] = await Promise.all([this.ask("versions"), this.ask("watches")]);
    const formats = FORMATS.map((name) => [name, input("checkbox", { checked: name === "folders" })]);
    const rows = versions.map((each) => [each.id, day(each.created), each.pictures, megabytes(each.bytes),
      Object.entries(each.counts).sort((one, other) => other[1] - one[1]).slice(0, 6).map(([name, n]) => `${name} ${number(n)}`).join(", "),
      make("span", "row", "", [button("Download", () => this.run(async () => {
        const { address } = await this.ask("ticket", { of: "version", number: each.id,
          formats: formats.filter(([, box]) => box.checked).map(([name]) => name) });
        this.fetchFile(address);
      }, "the download begins"), "main"),
      ...(this.me.may.includes("train") ? [button("Train on it", () => { this.chosen = each.id; this.turn("Trainings"); })] : [])])]);
    this.sheet.replaceChildren(make("section", "", "", [make("h2", "", "Data sets"),
      make("div", "row", "", [make("span", "soft", "Download as"), ...formats.map(([name, box]) => {
        box.setAttribute("aria-label", name);
        return make("label", "row", "", [box, name]);
      })]),
      rows.length ? table(["no.", "made", "pictures", "size", "labels", ""], rows)
        : make("p", "soft", "none yet: choose pictures under Browse and make one")]),
    make("section", "", "", [make("h2", "", "Watch-list"), watches.length ? table(["no.", "labels", "pictures of each", "state", "since", ""],
      watches.map((each) => [each.id, (each.query.labels ?? []).join(", ") || "all", each.least, each.state, day(each.fired),
        each.state === "waiting" ? button("Withdraw", () => this.run(async () => {
          await this.ask("withdraw", { number: each.id });
          await this.turn("Data sets");
        })) : ""]))
      : make("p", "soft", "empty")]));
    this.ready("Data sets");
  },

  // In a frame of its own: were this page left, even for a download, voila would end the kernel behind it.
  fetchFile(address) {
    const frame = Object.assign(make("iframe"), { src: address, hidden: true, referrerPolicy: "no-referrer" });
    this.root.append(frame);
    setTimeout(() => frame.remove(), 600_000);
  },
};
