// The hub's page, drawn in the browser. It asks the kernel by messages ({do: …, ask: number}) and every question has one
// answer; texts from the hub are set as text, never as markup.

import { button, field, input, make } from "./dom.js";
import { overviewTab } from "./overview.js";
import { submitTab } from "./submit.js";
import { browseTab } from "./browse.js";
import { datasetsTab } from "./datasets.js";
import { trainingsTab } from "./trainings.js";
import { reviewTab } from "./review.js";
import { accountsTab } from "./accounts.js";

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
}

Object.assign(Hub.prototype, overviewTab, submitTab, browseTab, datasetsTab, trainingsTab, reviewTab, accountsTab);

export default {
  render({ model, el }) {
    const hub = new Hub(model, el);
    return () => hub.end();
  },
};
