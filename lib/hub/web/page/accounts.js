// Accounts, for administrators.

import { button, day, field, input, make, number, table } from "./dom.js";

export const accountsTab = {
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
  },

  // A checkbox for each role; `roles()` of the node returns those that are checked.
  roleBoxes(checked, whose) {
    const boxes = this.me.allRoles.map((role) => [role, input("checkbox", { checked: checked.includes(role) })]);
    const node = make("span", "row", "", boxes.map(([role, box]) => make("label", "row tight", "", [box, role])));
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", `roles of ${whose}`);
    node.roles = () => boxes.filter(([, box]) => box.checked).map(([role]) => role);
    return node;
  },
};
