// Submit: files sent in parts, and what became of them.

import { button, choice, day, field, input, make, megabytes, nameOf, number, sha256, table } from "./dom.js";

const AT_ONCE = 3;      // files sent at the same time

export const submitTab = {
  async submit() {
    const files = input("file", { multiple: true, accept: "image/jpeg,image/png" });
    files.setAttribute("aria-label", "pictures to submit");
    const labels = input("text", { placeholder: "saw; hammer" });
    const place = input("text", { placeholder: "Perth, AU" });
    const author = input("text", { value: this.me.name });
    const licence = choice([["", "choose one"], ...this.me.licences.map(([id, name]) => [id, `${id} – ${name}`])]);
    const drop = make("div", "drop", "", [make("p", "", "Drop pictures here, or choose them:"), files, make("p", "chosen", "")]);
    const progress = Object.assign(make("progress"), { max: 1, value: 0, hidden: true });
    const results = make("div", "results");
    const send = button("Submit", () => this.run(() => this.sendAll(chosen, {
      labels: labels.value, place: place.value, licence: licence.value, author: author.value }, progress, results, send)), "main");
    let chosen = [];
    const take = (list) => {
      chosen = [...list].filter((file) => file.size > 0);
      const late = chosen.filter((file) => file.size > this.me.most);
      drop.lastChild.textContent = chosen.length ? `${number(chosen.length)} pictures, `
        + megabytes(chosen.reduce((sum, file) => sum + file.size, 0)) : "";
      if (late.length) this.say(`${late[0].name} is larger than ${megabytes(this.me.most)} and will be refused`, "bad");
    };
    files.addEventListener("change", () => take(files.files));
    drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); take(event.dataTransfer.files); });
    this.past = make("div", "list");
    this.detail = make("div", "batch");
    this.sheet.replaceChildren(make("section", "", "", [make("h2", "", "Submit pictures"), drop,
      make("div", "fields", "", [
        field("Labels", labels, "what is to be seen; several with ; between them"),
        field("Place", place, "a town and its country; empty: from the pictures' GPS"),
        field("Licence", licence, "on which they may be used"), field("Author", author)]),
      make("div", "row", "", [send, progress]), results]),
      make("section", "", "", [make("h2", "", "What you have sent"), this.past, this.detail]));
    await this.showPast();
    this.ready("Submit");
  },

  async sendAll(files, values, progress, results, send) {
    if (!files.length) throw new Error("choose some pictures first");
    const names = files.map((file) => file.webkitRelativePath || file.name), twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice) throw new Error(`${number(names.filter((name) => name === twice).length)} of the files are named ${twice}; give each a name of its own`);
    if (!values.licence) throw new Error("choose the licence on which the pictures may be used");
    send.disabled = true;
    Object.assign(progress, { hidden: false, value: 0 });
    const found = new Map(), started = Date.now();
    try {
      const read = [];
      for (const file of files) {
        this.say(`counting ${read.length + 1} of ${files.length} …`, "late");
        const bytes = file.size <= this.me.most ? await file.arrayBuffer() : undefined;
        read.push({ file, name: file.webkitRelativePath || file.name, sha256: bytes ? await sha256(bytes) : "" });
      }
      const key = nameOf(JSON.stringify([values, read.map((each) => [each.name, each.sha256 || each.file.size])]));
      const { wanted } = await this.ask("begin", { key, files: Object.fromEntries(read.map((each) => [each.name, each.sha256])) });
      const todo = read.filter((each) => wanted.includes(each.name) || !each.sha256);
      for (const each of read) if (!todo.includes(each)) found.set(each.name, { name: each.name, outcome: "known", reason: "sent before" });
      let next = 0, done = read.length - todo.length;
      const show = () => {
        progress.value = done / read.length;
        results.replaceChildren(this.outcomes([...found.values()]));
        this.say(`${number(done)} of ${number(read.length)} pictures`, "late");
      };
      const worker = async () => {
        while (next < todo.length) {
          const each = todo[next++];
          try {
            const answer = await this.sendOne(key, each, values);
            found.set(each.name, answer.files[0]);
          } catch (error) {
            found.set(each.name, { name: each.name, outcome: "not sent", reason: error.message });
          }
          done++;
          show();
        }
      };
      show();
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      const failed = [...found.values()].filter((each) => each.outcome === "not sent").length;
      if (!failed) await this.ask("done", { key });
      const count = (outcome) => [...found.values()].filter((each) => each.outcome === outcome).length;
      const told = [["new", "taken, which wait for verification"], ["known", "here already"], ["refused", "refused"]]
        .filter(([outcome]) => count(outcome)).map(([outcome, words]) => `${number(count(outcome))} ${words}`).join(", ");
      this.say(failed ? `${failed} pictures were not sent; press Submit to go on` : `${told}, in `
        + `${((Date.now() - started) / 1000).toFixed(1)} s`, failed || count("refused") ? "bad" : "good");
      this.root.dataset.submitted = String(read.length - failed);
      await this.showPast();
    } finally {
      send.disabled = false;
    }
  },

  async sendOne(key, each, values) {
    if (each.file.size > this.me.most) throw new Error(`larger than ${megabytes(this.me.most)}`);
    const id = `${this.view}-${++this.count}`, bytes = await each.file.arrayBuffer();
    let answer;
    for (let at = 0; at === 0 || at < bytes.byteLength; at += this.me.part) {
      const last = at + this.me.part >= bytes.byteLength;
      answer = await this.ask("part", { id, last, ...(last ? { key, values, name: each.name } : {}) },
        [bytes.slice(at, at + this.me.part)]);
    }
    return answer;
  },

  outcomes(files) {
    const words = { new: "taken", known: "was here already", refused: "refused", "not sent": "not sent" };
    return table(["picture", "what became of it", "why"], files.slice(-200).map((each) => [each.name,
      make("span", `state ${each.outcome}`, words[each.outcome] ?? each.outcome), each.reason]));
  },

  async showPast() {
    const { batches } = await this.ask("batches");
    if (this.tab !== "Submit") return;
    this.past.replaceChildren(batches.length ? table(["when", "state", "new", "known", "refused", ""],
      batches.slice(0, 30).map((each) => [day(each.created), this.batchState(each), each.counts.new ?? 0,
        each.counts.known ?? 0, each.counts.refused ?? 0, button("Show", () => this.run(() => this.showBatch(each.batch)))]))
      : make("p", "soft", "nothing yet"));
  },

  batchState(batch) {
    const waiting = batch.statuses.submitted ?? 0;
    if (!batch.done) return make("span", "state running", "not closed: more may come");
    return waiting ? make("span", "state queued", `being verified, ${number(waiting)} to go`) : make("span", "state done", "verified");
  },

  async showBatch(batch) {
    const about = await this.ask("batch", { batch });
    this.detail.replaceChildren(make("h2", "", `Submission ${batch}: ` + Object.entries(about.counts)
      .map(([state, count]) => `${number(count)} ${state}`).join(", ")),
      table(["picture", "state", "why"], about.files.slice(0, 500).map((each) => [each.name,
        make("span", `state ${each.status ?? each.outcome}`, each.status ?? each.outcome),
        [each.reason, ...each.findings.map((finding) => finding.reason)].filter(Boolean).join("; ")])));
    this.detail.scrollIntoView({ block: "nearest" });
  },
};
