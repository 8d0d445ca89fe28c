// Who is enrolled, and what can be done with them.

import { exampleThumbnail } from "../core/api.js";
import { button, fill, h, icon, labelled, picture, select } from "../core/dom.js";
import { ask, empty, openDialog, toast } from "../parts/dialogs.js";
import { words } from "../strings.js";

const SHOWN = 5;
const MOST = 200;
const said = words.recognize;
const path = (label) => `identities/${encodeURIComponent(label)}`;

export class Identities {
  #page;
  #changed;
  #all = [];

  /** `changed()` is called when something was renamed, merged or forgotten. */
  constructor(page, changed) {
    this.#page = page;
    this.#changed = changed;
    this.known = h("datalist", { id: "known-labels" });
    this.box = h("input", { class: "field", type: "search", placeholder: said.find, "aria-label": said.find, oninput: () => this.#draw() });
    this.list = h("ul", { class: "identities" });
    this.add = h("span");
    this.element = h("section", { class: "stack close" },
      h("div", { class: "row apart" }, h("h2", {}, said.identities), this.add), this.box, this.known, this.list);
  }

  get count() {
    return this.#all.length;
  }

  show(identities) {
    this.#all = identities;
    fill(this.known, identities.map(({ label }) => h("option", { value: label })));
    this.box.hidden = identities.length < 9;
    this.#draw();
  }

  #draw() {
    const typed = this.box.hidden ? "" : this.box.value.trim().toLocaleLowerCase();
    const found = this.#all.filter(({ label }) => label.toLocaleLowerCase().includes(typed)).slice(0, MOST);
    if (!this.#all.length) fill(this.list, h("li", {}, empty(icon("person"), said.identitiesEmpty, said.identitiesHint)));
    else fill(this.list, found.map((one) => this.#card(one)));
  }

  #card({ label, examples }) {
    const collection = this.#page.collection.name;
    const shown = examples.slice(0, SHOWN);
    const acts = this.#page.readOnly ? [] : [
      button(said.rename, { sign: "edit", square: true, kind: "quiet tight", onclick: () => this.#rename(label) }),
      button(said.merge, { sign: "merge", square: true, kind: "quiet tight", onclick: () => this.#merge(label), disabled: this.#all.length < 2 }),
      button(said.forget, { sign: "trash", square: true, kind: "quiet tight", onclick: () => this.#forget(label, examples.length) }),
    ];
    for (const [place, verb] of [said.rename, said.merge, said.forget].entries()) acts[place]?.setAttribute("aria-label", `${verb}: ${label}`);
    return h("li", { class: "card identity" },
      h("div", { class: "row apart nowrap" },
        h("div", { class: "clip" }, h("h3", { class: "clip", title: label }, label), h("p", { class: "small muted" }, said.examples(examples.length))),
        h("div", { class: "row nowrap" }, acts)),
      h("button", { type: "button", class: "identity-examples", "aria-label": `${said.examples(examples.length)}: ${label}`, onclick: () => this.#open(label, examples) },
        shown.map((one) => exampleView(collection, label, one, 48))));
  }

  #open(label, examples) {
    const collection = this.#page.collection.name;
    const list = h("ul", { class: "example-list" });
    const opened = openDialog(label, list, { wide: true });
    const draw = (left) => fill(list, left.map((one) => h("li", { class: "stack tiny" },
      exampleView(collection, label, one, 144),
      h("p", { class: "small muted clip", title: one.path ?? "" }, one.path ?? one.added ?? ""),
      this.#page.readOnly ? null : button(said.removeExample, { sign: "trash", kind: "tight", square: true, onclick: async () => {
        await this.#page.own(() => this.#page.api.delete(`${path(label)}/examples/${one.id}`, { collection }));
        const rest = left.filter((other) => other !== one);
        if (rest.length) draw(rest);
        else opened.close();
        this.#changed();
      } }))));
    draw(examples);
  }

  #rename(label) {
    const name = h("input", { class: "field", value: label, required: true, maxlength: 1000, autocomplete: "off" });
    ask(said.renameTitle(label), labelled(said.newName, name), () => this.#do(`${path(label)}/rename`, { new: name.value.trim() }));
    name.select();
  }

  #merge(label) {
    const others = this.#all.map((one) => one.label).filter((one) => one !== label);
    const target = select(others.map((one) => [one, one]), others[0], { "aria-label": said.mergeTitle(label) });
    ask(said.mergeTitle(label), h("div", { class: "stack close" }, target, h("p", { class: "muted small" }, said.mergeHint)),
      () => this.#do(`${path(label)}/merge`, { target: target.value }), { words: said.merge });
  }

  #forget(label, number) {
    const collection = this.#page.collection.name;
    ask(said.forgetTitle(label), h("p", {}, said.forgetHint(number)), async () => {
      await this.#page.own(() => this.#page.api.delete(path(label), { collection }));
      toast(said.forgotten(label));
      this.#changed();
    }, { words: said.forget, danger: true });
  }

  async #do(address, body) {
    await this.#page.own(() => this.#page.api.post(address, { collection: this.#page.collection.name }, body));
    this.#changed();
  }
}

function exampleView(collection, label, example, across) {
  if (example.text !== null) return h("span", { class: "small example-text" }, example.text);
  const made = picture(exampleThumbnail(collection, label, example.id, across), "", { loading: "lazy" });
  return made;
}
