// The panel of filters.

import { button, fill, h, labelled, select } from "../core/dom.js";
import { count, shortFolder } from "../core/format.js";
import { words } from "../strings.js";
import { operators } from "./condition.js";

const said = words.search;
const MOST_LABELS = 200;

export class Filters {
  #apply;
  #facets = { labels: [], folders: [], keys: [] };

  /** `apply(filters)` is called when something was chosen. */
  constructor(apply) {
    this.#apply = apply;
    this.form = h("form", { class: "card filters", hidden: true, onsubmit: (event) => this.#sent(event), onchange: (event) => "now" in event.target.dataset && this.#send() });
    this.refused = h("p", { class: "bad small filter-refused", role: "alert", id: "filter-refused" });
    this.element = this.form;
  }

  /** Says what is wrong with the condition, or that nothing is. */
  refuse(error) {
    this.refused.textContent = error?.message ?? "";
    this.where?.setAttribute("aria-invalid", String(Boolean(error)));
  }

  async load(api, collection) {
    this.#facets = await api.get("facets", { collection });
  }

  /** Draws the panel with what is set. */
  show(filters) {
    const { labels, folders, keys } = this.#facets;
    const now = { "data-now": true };
    this.label = select([["", said.any]], "", now);
    for (const { label, items } of labels.filter((one) => one.label !== null).slice(0, MOST_LABELS)) {
      this.label.append(h("option", { value: label, selected: filters.label[0] === label }, `${label} (${count(items)})`));
    }
    this.folder = select([["", said.any], ...folders.map(({ folder, items }) => [folder, `${shortFolder(folder)} (${count(items)})`])], filters.folder, now);
    this.from = h("input", { class: "field", type: "date", value: filters.from, ...now });
    this.to = h("input", { class: "field", type: "date", value: filters.to, ...now });
    this.key = h("input", { class: "field", value: filters.key, list: "metadata-keys", autocomplete: "off" });
    this.operator = select(operators.map((one) => [one, one]), filters.operator || "=");
    this.value = h("input", { class: "field", value: filters.value, autocomplete: "off" });
    this.where = h("input", { class: "field code", value: filters.where, placeholder: said.whereHint, autocomplete: "off", spellcheck: "false", "aria-describedby": "filter-refused", "aria-invalid": String(Boolean(this.refused.textContent)) });
    fill(
      this.form,
      h("datalist", { id: "metadata-keys" }, keys.map((key) => h("option", { value: key }))),
      labelled(said.label, this.label),
      labelled(said.folder, this.folder),
      labelled(said.from, this.from),
      labelled(said.to, this.to),
      h("div", { class: "filter-metadata" }, labelled(said.key, this.key), labelled(said.operator, this.operator), labelled(said.value, this.value)),
      h("div", { class: "filter-where" }, labelled(said.where, this.where)),
      this.refused,
      h("div", { class: "row filter-foot" },
        h("button", { type: "submit", class: "button primary" }, said.apply),
        button(said.clearFilters, { kind: "quiet", onclick: () => this.#apply({ label: [], folder: "", from: "", to: "", key: "", operator: "", value: "", where: "" }) })),
    );
  }

  #sent(event) {
    event.preventDefault();
    this.#send();
  }

  #send() {
    this.#apply({
      label: this.label.value ? [this.label.value] : [],
      folder: this.folder.value,
      from: this.from.value,
      to: this.to.value,
      key: this.key.value.trim(),
      operator: this.key.value.trim() ? this.operator.value : "",
      value: this.value.value.trim(),
      where: this.where.value.trim(),
    });
  }
}
