// Review: what waits for a reviewer, and what a check refused.

import { BLOCK, button, input, make, number } from "./dom.js";

export const reviewTab = {
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
  },

  // How many pictures wait, with the two lists that a reviewer may look through.
  counted(waiting, refused) {
    const choices = [[false, `To review (${number(waiting.review)})`], [true, `Refused by a check (${number(waiting.refused_by_check)})`]];
    this.head.replaceChildren(...choices.map(([which, text]) => {
      const node = button(text, () => this.run(() => this.review(which)), "tab");
      node.setAttribute("aria-pressed", String(which === refused));
      return node;
    }), make("span", "soft", `${number(waiting.submitted)} wait for verification, ${number(waiting.refused)} are refused in all`));
    this.refusedShown = refused;
  },

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
  },
};
