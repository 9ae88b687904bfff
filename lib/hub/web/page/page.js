// The hub's page, drawn in the browser. It asks the kernel by messages ({do: …, ask: number}) and every question has one
// answer; texts from the hub are set as text, never as markup.

const BACKBONES = ["small", "residual", "MobileNetV2", "EfficientNetB0", "VGG16", "ResNet50"];
const PHASES = { "01": "gathering pictures", "02": "training", "03": "scoring", "04": "trying the API" };
const RUNNING = ["queued", "running"];
const FORMATS = ["folders", "coco", "yolo", "openimages", "parquet"];
const AT_ONCE = 3;      // files sent at the same time
const BLOCK = 24;       // thumbnails asked for at once
const number = (value) => Number(value ?? 0).toLocaleString("en");
const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
const day = (text) => (text ?? "").replace("T", " ").slice(0, 16);

function make(name, className = "", text = "", parts = []) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== "") node.textContent = text;
  node.append(...parts);
  return node;
}

// A picture that opens large when it is clicked.
function opening(shown, name, open) {
  const node = make("button", "opening", "", [shown]);
  node.type = "button";
  node.setAttribute("aria-label", `open ${name}`);
  node.addEventListener("click", open);
  return node;
}

function button(text, act, className = "") {
  const node = make("button", className, text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

function field(name, input, hint = "") {
  input.setAttribute("aria-label", name);
  return make("label", "field", "", [make("span", "", name), input, ...(hint ? [make("small", "", hint)] : [])]);
}

function input(type, values = {}) {
  return Object.assign(make("input"), { type, ...values });
}

function choice(options, chosen = "") {
  const node = make("select", "", "", options.map(([value, text]) => Object.assign(make("option", "", text), { value })));
  node.value = chosen;
  return node;
}

function table(head, rows) {
  return make("table", "", "", [
    make("thead", "", "", [make("tr", "", "", head.map((text) => make("th", "", text)))]),
    make("tbody", "", "", rows.map((cells) => make("tr", "", "", cells.map((cell) =>
      cell instanceof Node ? make("td", "", "", [cell]) : make("td", typeof cell === "number" ? "number" : "",
        typeof cell === "number" ? number(cell) : String(cell ?? "")))))),
  ]);
}

function picture(buffer, kind, alt) {
  const node = Object.assign(make("img"), { alt });
  node.src = URL.createObjectURL(new Blob([buffer], { type: kind }));
  node.addEventListener("load", () => URL.revokeObjectURL(node.src), { once: true });
  return node;
}

// A name for what is sent, so that the same files with the same words are the same submission (two FNV-1a hashes).
function nameOf(text) {
  let one = 0x811c9dc5, two = 0x9dc5811c;
  for (let at = 0; at < text.length; at++) {
    one = Math.imul(one ^ text.charCodeAt(at), 0x01000193) >>> 0;
    two = Math.imul(two ^ text.charCodeAt(text.length - 1 - at), 0x01000193) >>> 0;
  }
  return `page-${one.toString(16).padStart(8, "0")}${two.toString(16).padStart(8, "0")}`;
}

async function sha256(buffer) {
  if (!globalThis.crypto?.subtle) return "";   // a page without HTTPS has none; the server counts by itself
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", buffer))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

class Hub {
  constructor(model, el) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2);
    this.asked = new Map();
    this.count = 0;
    this.heard = (message, buffers) => this.hear(message, buffers);
    model.on("msg:custom", this.heard);
    this.root = make("div", "corebox corehub");
    el.append(this.root);
    this.enterPage(sessionStorage.getItem("corebox-hub-token") ?? "");
  }

  end() {
    this.model.off("msg:custom", this.heard);
    clearInterval(this.clock);
  }

  // --- questions and answers

  ask(what, facts = {}, buffers = []) {
    const ask = ++this.count;
    return new Promise((resolve, reject) => {
      this.asked.set(ask, { resolve, reject });
      this.model.send({ do: what, view: this.view, ask, ...facts }, undefined, buffers);
    });
  }

  hear(message, buffers) {
    if (message.view !== this.view) return;
    const waiting = this.asked.get(message.ask);
    this.asked.delete(message.ask);
    if (!waiting) return;
    if (message.error) waiting.reject(new Error(message.error));
    else waiting.resolve({ ...message, buffers: (buffers ?? []).map((each) => each.buffer ?? each) });
  }

  // Run something that may fail, and tell how it ended at the foot of the page.
  async run(act, said = "") {
    this.root.dataset.busy = "yes";
    try {
      const answer = await act();
      if (said) this.say(said);
      return answer;
    } catch (error) {
      this.say(error.message, "bad");
      return undefined;
    } finally {
      delete this.root.dataset.busy;
    }
  }

  say(text, how = "good") {
    if (!this.foot) return;
    this.foot.textContent = text;
    this.foot.className = `foot ${how}`;
    this.root.dataset.said = text;
  }

  // --- who

  enterPage(token) {
    const given = input("password", { value: token, autocomplete: "off", placeholder: "hub_…" });
    const act = () => this.run(async () => {
      this.me = await this.ask("enter", { token: given.value.trim() });
      sessionStorage.setItem("corebox-hub-token", given.value.trim());
      this.open();
    });
    this.foot = make("div", "foot");
    this.foot.setAttribute("role", "status");
    const form = make("form", "enter", "", [make("h1", "", "Image hub"),
      make("p", "", "Labelled pictures in; verified data sets and trained models out."), field("Your token", given),
      make("button", "main", "Enter")]);
    form.addEventListener("submit", (event) => { event.preventDefault(); act(); });
    this.root.replaceChildren(make("div", "middle", "", [form]), this.foot);
    if (token) act();
  }

  open() {
    const tabs = [["Overview", "browse"], ["Submit", "submit"], ["Browse", "browse"], ["Data sets", "version"],
                  ["Trainings", "train"], ["Review", "review"], ["Accounts", "accounts"]].filter(([, action]) => this.me.may.includes(action));
    this.sheet = make("main", "sheet");
    this.tabs = make("nav", "tabs", "", tabs.map(([name]) => button(name, () => this.turn(name), "tab")));
    const leave = button("Leave", () => { sessionStorage.removeItem("corebox-hub-token"); clearInterval(this.clock);
                                          this.enterPage(""); });
    this.root.replaceChildren(
      make("header", "bar", "", [make("strong", "", "Image hub"), this.tabs, make("span", "grow"),
        make("span", "who", `${this.me.name} · ${this.me.roles.join(", ")}`), leave]),
      this.sheet, this.foot);
    this.words = make("datalist");
    this.words.id = `words-${this.view}`;
    this.turn(tabs[0][0]);
  }

  turn(name) {
    clearInterval(this.clock);
    this.tab = name;
    for (const tab of this.tabs.children) tab.setAttribute("aria-current", tab.textContent === name ? "page" : "false");
    this.sheet.replaceChildren();
    this.root.dataset.tab = name;
    delete this.root.dataset.shown;
    this.say("");
    const shown = { Overview: this.overview, Submit: this.submit, Browse: this.browse, "Data sets": this.sets,
                    Trainings: this.trainings, Review: this.review, Accounts: this.accounts }[name];
    return this.run(() => shown.call(this));
  }

  // Say (to tests, too) that a tab stands complete.
  ready(name) {
    if (this.tab === name) this.root.dataset.shown = name;
  }

  // --- overview

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
  }

  // --- submit

  async submit() {
    const files = input("file", { multiple: true, ariaLabel: "pictures to submit", accept: "image/jpeg,image/png" });
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
  }

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
  }

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
  }

  outcomes(files) {
    const words = { new: "taken", known: "was here already", refused: "refused", "not sent": "not sent" };
    return table(["picture", "what became of it", "why"], files.slice(-200).map((each) => [each.name,
      make("span", `state ${each.outcome}`, words[each.outcome] ?? each.outcome), each.reason]));
  }

  async showPast() {
    const { batches } = await this.ask("batches");
    if (this.tab !== "Submit") return;
    this.past.replaceChildren(batches.length ? table(["when", "state", "new", "known", "refused", ""],
      batches.slice(0, 30).map((each) => [day(each.created), each.done ? "complete" : "open", each.counts.new ?? 0,
        each.counts.known ?? 0, each.counts.refused ?? 0, button("Show", () => this.run(() => this.showBatch(each.batch)))]))
      : make("p", "soft", "nothing yet"));
  }

  async showBatch(batch) {
    const about = await this.ask("batch", { batch });
    this.detail.replaceChildren(make("h2", "", `Submission ${batch}: ` + Object.entries(about.counts)
      .map(([state, count]) => `${number(count)} ${state}`).join(", ")),
      table(["picture", "state", "why"], about.files.slice(0, 500).map((each) => [each.name,
        make("span", `state ${each.status ?? each.outcome}`, each.status ?? each.outcome),
        [each.reason, ...each.findings.map((finding) => finding.reason)].filter(Boolean).join("; ")])));
    this.detail.scrollIntoView({ block: "nearest" });
  }

  // --- browse

  async browse() {
    const about = await this.ask("overview");
    const may = this.me.may.includes("select");
    this.query = { labels: [], subtree: true, places: [], licences: [], quality: 0, per_label: 0 };
    const search = input("search", { placeholder: "find a label" });
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
  }

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
  }

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
  }

  card(each, thumb) {
    const shown = this.thumbnail(each.id, thumb, each.labels.join(", "));
    return make("figure", "card", "", [shown, make("figcaption", "", each.labels.join(", ")),
      make("small", "", [each.place, each.licence, each.author].filter(Boolean).join(" · "))]);
  }

  // --- one picture

  thumbnail(id, thumb, name) {
    if (!thumb?.byteLength) return make("div", "gone", "no picture");
    return opening(picture(thumb, "image/jpeg", name), name || `picture ${id}`, () => this.run(async () => {
      const answer = await this.ask("picture", { id });
      this.show(picture(answer.buffers[0], "image/jpeg", name), `picture ${id}: ${name}`);
    }));
  }

  // A picture over the page; Escape, the button, or a click beside it closes it.
  show(shown, title) {
    const dialog = make("dialog", "large", "", [make("div", "row", "", [make("b", "grow", title), button("Close", () => dialog.close())]), shown]);
    dialog.setAttribute("aria-label", title);
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => dialog.remove());
    this.root.append(dialog);
    dialog.showModal();
  }

  // --- data sets

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
  }

  // In a frame of its own: were this page left, even for a download, voila would end the kernel behind it.
  fetchFile(address) {
    const frame = Object.assign(make("iframe"), { src: address, hidden: true, referrerPolicy: "no-referrer" });
    this.root.append(frame);
    setTimeout(() => frame.remove(), 600_000);
  }

  // --- trainings

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
  }

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
  }

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
      card.append(table(["score", "this model", "interval", "knows only how frequent labels are"], each.result.scores.map((line) => [
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
      card.append(more, shelf);
    }
    return card;
  }

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
  }

  // --- review

  async review(refused = false) {
    const { queue, waiting } = await this.ask("queue", { refused });
    this.head = make("div", "row");
    const list = make("div", "grid wide");
    this.sheet.replaceChildren(make("section", "", "", [make("h2", "", "Review"), this.head, list]));
    this.counted(waiting, refused);
    const all = refused ? waiting.refused_by_check : waiting.review;
    if (!queue.length) list.append(make("p", "soft", refused ? "no check has refused a picture that can be shown" : "nothing waits"));
    else if (queue.length < all) list.before(make("p", "soft", `the first ${number(queue.length)} of ${number(all)}`));
    for (let at = 0; at < queue.length; at += BLOCK) {
      const block = queue.slice(at, at + BLOCK);
      const answer = await this.ask("thumbs", { ids: block.map((each) => each.picture) });
      if (this.tab !== "Review") return;
      list.append(...block.map((each, n) => this.waiting(each, answer.buffers[n])));
    }
    this.ready("Review");
  }

  // How many pictures wait, with the two lists that a reviewer may look through.
  counted(waiting, refused) {
    const choices = [[false, `To review (${number(waiting.review)})`], [true, `Refused by a check (${number(waiting.refused_by_check)})`]];
    this.head.replaceChildren(...choices.map(([which, text]) => {
      const node = button(text, () => this.run(() => this.review(which)), "tab");
      node.setAttribute("aria-pressed", String(which === refused));
      return node;
    }), make("span", "soft", `${number(waiting.submitted)} wait for verification, ${number(waiting.refused)} are refused in all`));
    this.refusedShown = refused;
  }

  waiting(each, thumb) {
    const labels = input("text", { value: each.labels.join("; ") }), before = labels.value;
    labels.setAttribute("aria-label", `labels of picture ${each.picture}`);
    const verdict = (word) => this.run(async () => {
      const answer = await this.ask("review", { picture: each.picture, verdict: word,
        labels: labels.value === before ? null : labels.value.split(";").map((name) => name.trim()).filter(Boolean) });
      card.remove();
      this.counted(answer.waiting, this.refusedShown);
      this.root.dataset.reviewed = String(each.picture);
    }, `picture ${each.picture}: ${word === "accept" ? "accepted" : "refused"}`);
    const card = make("figure", "card", "", [
      this.thumbnail(each.picture, thumb, each.labels.join(", ")),
      make("ul", "", "", each.findings.map((finding) => make("li", "", finding.reason))), labels,
      make("div", "row", "", [button("Accept", () => verdict("accept"), "main"), button("Refuse", () => verdict("refuse"))])]);
    card.dataset.picture = String(each.picture);
    return card;
  }

  // --- accounts

  async accounts() {
    const { accounts } = await this.ask("accounts");
    const name = input("text", { maxLength: 100 }), chosen = this.roleBoxes([], "new account");
    const position = input("checkbox");
    const told = make("p", "token");
    told.setAttribute("role", "status");
    const tell = (who, token) => {
      told.replaceChildren(`${who} has the token `, make("code", "", token), "; it is not shown again, so pass it on now.");
    };
    const add = button("Add", () => this.run(async () => {
      const { token } = await this.ask("add_account", { name: name.value, roles: chosen.roles(), keep_position: position.checked });
      const who = name.value.trim();
      await this.accounts();
      this.sheet.querySelector(".token").replaceWith(told);
      tell(who, token);
    }, "the account is there"), "main");
    const row = (each) => {
      const roles = this.roleBoxes(each.roles, each.name);
      const change = (facts, said) => this.run(async () => {
        await this.ask("change_account", { id: each.id, ...facts });
        await this.accounts();
      }, said);
      return [each.name, make("span", `state ${each.active ? "accepted" : "refused"}`, each.active ? "active" : "ended"), roles,
        each.quality === null ? "" : each.quality.toFixed(2), day(each.created),
        make("span", "row", "", [button("Save roles", () => change({ roles: roles.roles() }, `${each.name}: roles saved`)),
          button("New token", () => this.run(async () => {
            const { token } = await this.ask("renew_token", { id: each.id });
            tell(each.name, token);
          }, `${each.name}: the old token is void`)),
          each.id === this.me.id ? make("span", "soft", "you")
            : button(each.active ? "End" : "Take up again", () => change({ active: !each.active }, `${each.name}: ${each.active ? "ended" : "active"}`))])];
    };
    this.sheet.replaceChildren(make("section", "", "", [make("h2", "", "Add an account"),
      make("div", "fields", "", [field("Name", name), chosen,
        make("label", "row", "", [position, "agrees that GPS positions are kept"])]),
      make("div", "row", "", [add]), told]),
    make("section", "", "", [make("h2", "", `${number(accounts.length)} accounts`),
      table(["name", "state", "roles", "quality", "since", ""], accounts.map(row))]));
    this.ready("Accounts");
  }

  // A checkbox for each role; `roles()` of the node returns those that are checked.
  roleBoxes(checked, whose) {
    const boxes = this.me.allRoles.map((role) => [role, input("checkbox", { checked: checked.includes(role) })]);
    const node = make("span", "row", "", boxes.map(([role, box]) => make("label", "row tight", "", [box, role])));
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", `roles of ${whose}`);
    node.roles = () => boxes.filter(([, box]) => box.checked).map(([role]) => role);
    return node;
  }
}

export default {
  render({ model, el }) {
    const hub = new Hub(model, el);
    return () => hub.end();
  },
};
