// The unknown ones, grouped by likeness; a group becomes an identity with one click.

import { button, fill, h, icon, labelled, picture } from "../core/dom.js";
import { score } from "../core/format.js";
import { words } from "../strings.js";
import { grouped } from "./grouping.js";

const MOST = 300;
const START = 0.7;
const said = words.recognize;

export class Tray {
  #unknown = [];
  #enroll;

  /** `enroll(label, members)` makes examples of the members of a group. */
  constructor(enroll) {
    this.#enroll = enroll;
    this.likeness = h("input", { type: "range", min: 0.3, max: 0.98, step: 0.01, value: START, oninput: () => this.#draw() });
    this.value = h("span", { class: "number small muted" });
    this.groups = h("ul", { class: "stack close" });
    this.element = h("section", { class: "stack close", hidden: true },
      h("h2", {}, said.tray), h("p", { class: "muted small" }, said.trayHint),
      h("div", { class: "tray-likeness" }, labelled(said.likeness, this.likeness), this.value), this.groups);
  }

  /** Collects one: what was asked, with its vector. */
  add(asked, vector) {
    this.#unknown.push({ ...asked, vector });
    this.#unknown.splice(0, Math.max(0, this.#unknown.length - MOST));
  }

  empty() {
    this.#unknown = [];
    this.show();
  }

  show() {
    this.element.hidden = !this.#unknown.length;
    this.#draw();
  }

  #draw() {
    fill(this.value, score(Number(this.likeness.value)));
    const groups = grouped(this.#unknown.map((one) => one.vector), Number(this.likeness.value));
    fill(this.groups, groups.map((places) => this.#group(places.map((place) => this.#unknown[place]))));
  }

  #group(members) {
    const left = new Set(members);
    const label = h("input", { class: "field", list: "known-labels", autocomplete: "off", required: true, maxlength: 1000, placeholder: said.label, "aria-label": said.label });
    const refused = h("p", { class: "bad small", role: "alert" });
    const go = h("button", { type: "submit", class: "button primary" }, said.enroll);
    const send = async (event) => {
      event.preventDefault();
      const name = label.value.trim();
      if (!name || !left.size) return;
      go.disabled = true;
      try {
        await this.#enroll(name, [...left]);
        this.#unknown = this.#unknown.filter((one) => !left.has(one));
        this.show();
      } catch (error) {
        fill(refused, error.message);
        go.disabled = false;
      }
    };
    const discard = () => {
      this.#unknown = this.#unknown.filter((one) => !members.includes(one));
      this.show();
    };
    return h("li", { class: "card stack close" },
      h("ul", { class: "tray-pictures" }, members.map((one) => h("li", {}, this.#member(one, left)))),
      h("form", { class: "row", onsubmit: send }, h("span", { class: "grow" }, label), go,
        button(said.forgetGroup, { sign: "trash", square: true, onclick: discard })), refused);
  }

  #member(one, left) {
    const toggle = h("button", { type: "button", class: "tray-member", "aria-pressed": "true", title: one.name ?? one.text },
      one.text === undefined ? (one.small ? picture(one.small, "") : icon("picture")) : h("span", { class: "small" }, one.text));
    toggle.setAttribute("aria-label", one.name ?? one.text);
    toggle.addEventListener("click", () => {
      const inside = left.has(one);
      if (inside) left.delete(one);
      else left.add(one);
      toggle.setAttribute("aria-pressed", String(!inside));
    });
    return toggle;
  }
}
