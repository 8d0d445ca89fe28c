// Search: by picture, words, text or item.

import { thumbnail } from "../core/api.js";
import { button, fill, h, icon, picture } from "../core/dom.js";
import { recall, remember } from "../core/store.js";
import { enrolling, showDetails } from "../parts/details.js";
import { copy, empty, openDialog, Trouble } from "../parts/dialogs.js";
import { cameraButton, chooser, preview } from "../parts/drop.js";
import { VirtualGrid } from "../parts/virtual.js";
import { words } from "../strings.js";
import { cell, SHAPES } from "./cells.js";
import { chosen } from "./condition.js";
import { Filters } from "./filters.js";
import { asksForNothing, bodyOf, commandOf, csvOf, nameOf, packed, parametersOf, queryOf } from "./query.js";

const FIRST = 100;
const FURTHER = 500;
const said = words.search;

export function createSearch(page) {
  return new SearchTab(page);
}

class SearchTab {
  #page;
  #query = queryOf(new URLSearchParams());
  #matches = [];
  #items = new Map();
  #cursor = null;
  #loading = null;
  #ended = false;
  #filtersOf = null;
  #was = "";

  constructor(page) {
    this.#page = page;
    this.box = h("input", { class: "field", type: "search", name: "q", autocomplete: "off", spellcheck: "false", enterkeyhint: "search", "aria-label": said.box });
    this.pictures = h("div", { class: "row" },
      chooser(said.choose, (files) => this.takeFiles(files), { sign: "picture", square: true }),
      cameraButton((files) => this.takeFiles(files)));
    this.press = h("button", { type: "submit", class: "button primary", "aria-label": said.go }, icon("search"), h("span", { class: "wide-only" }, said.go));
    this.form = h("form", { class: "search-bar", role: "search", onsubmit: (event) => this.#sent(event) },
      this.box, this.pictures, this.press);
    this.chips = h("ul", { class: "row chips" });
    this.filters = new Filters((filters) => this.#go({ filters }));
    this.toggle = button(said.filters, { sign: "filter", onclick: () => this.#openFilters(), "aria-expanded": "false" });
    this.tally = h("p", { class: "muted number", role: "status" });
    this.tools = h("div", { class: "row" },
      this.toggle,
      button(said.link, { sign: "link", square: true, onclick: () => copy(this.#page.link("search", parametersOf(this.#query))) }),
      button(said.command, { sign: "terminal", square: true, onclick: () => this.#command() }),
      button(said.csv, { sign: "download", square: true, onclick: () => this.#export() }));
    this.trouble = new Trouble();
    this.grid = new VirtualGrid({
      name: said.resultsName,
      draw: (place) => this.#cell(place),
      need: () => this.#more(),
      shape: (width) => (this.#showsPictures ? SHAPES.pictures(width) : SHAPES.rows(width)),
    });
    this.nothing = h("div", { hidden: true });
    this.end = h("p", { class: "muted small center", hidden: true }, said.end);
    this.element = h("div", { class: "stack search" },
      h("h1", { class: "unseen" }, words.tabs.search),
      this.form, this.chips, h("div", { class: "row apart results-head" }, this.tally, this.tools),
      this.filters.element, this.trouble.element, this.grid.element, this.nothing, this.end);
  }

  get #collection() {
    return this.#page.collection;
  }

  get #showsPictures() {
    return this.#collection.modality === "image";
  }

  async show(parameters) {
    this.#query = queryOf(parameters);
    const { modality, takes_words: takesWords, name } = this.#collection;
    this.box.value = this.#query.words;
    this.box.disabled = !takesWords;
    this.press.hidden = !takesWords;
    this.box.placeholder = modality === "text" ? said.placeholderTexts : takesWords ? said.placeholder : modality === "image" ? said.placeholderPictures : said.onlyItems;
    this.pictures.hidden = modality !== "image";
    this.takeFiles = modality === "image" ? (files) => this.#upload(files[0]) : null;
    const now = `${name} ${JSON.stringify(this.#query)}`;
    if (now === this.#was) return;
    this.#was = now;
    await this.#anew();
  }

  refresh() {
    this.#filtersOf = null;
    return this.#anew();
  }

  hide() {
    this.takeFiles = null;
  }

  async #anew() {
    this.#loading?.abort();
    this.#loading = null;
    this.#matches = [];
    this.#cursor = null;
    this.#ended = false;
    this.trouble.clear();
    this.filters.refuse(null);
    this.end.hidden = true;
    this.nothing.hidden = true;
    fill(this.tally, said.searching);
    this.grid.resize(0, true);
    this.#drawChips();
    this.#drawFilters();
    await this.#more();
    window.scrollTo(0, 0);
  }

  #go(change) {
    this.#page.go("search", parametersOf({ ...this.#query, ...change }));
  }

  #sent(event) {
    event.preventDefault();
    const typed = this.box.value.trim();
    this.#go({ words: typed, item: null, vector: "", name: "" });
  }

  async #upload(file) {
    this.trouble.clear();
    fill(this.tally, said.searching);
    try {
      const [answer, small] = await Promise.all([
        this.#page.api.send("search", { collection: this.#collection.name, k: 1, include_vector: true }, file),
        preview(file),
      ]);
      const vector = packed(answer.vector);
      remember("upload", { vector, small });
      this.#go({ words: "", item: null, vector, name: file.name, like: [], unlike: [] });
    } catch (error) {
      this.trouble.say(error);
      fill(this.tally, "");
    }
  }

  async #more() {
    if (this.#loading || this.#ended) return;
    const asking = new AbortController();
    this.#loading = asking;
    try {
      const found = await this.#ask(asking.signal);
      if (this.#loading !== asking) return;
      const { items, cursor } = found;
      for (const item of items) this.#items.set(item.id, item);
      this.#matches.push(...items);
      this.#cursor = cursor;
      this.#ended = cursor === null;
      this.#loading = null;
      this.#drawn();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#loading = null;
      this.#ended = true;
      if (error.field === "where") this.#openFilters(true, error);
      else this.trouble.say(error, error.status === 0 || error.status >= 500 ? () => this.#anew() : null);
      fill(this.tally, "");
    }
  }

  async #ask(signal) {
    const collection = this.#collection.name;
    const body = bodyOf(this.#query, this.#cursor ? FURTHER : FIRST, this.#cursor);
    if (asksForNothing(this.#query)) {
      const { k: limit, where } = body;
      return this.#page.api.get("items", { collection, limit, cursor: this.#cursor, where }, signal);
    }
    const answer = await this.#page.api.post("search", { collection }, body, signal);
    return { items: answer.matches, cursor: answer.cursor };
  }

  #drawn() {
    const browsing = asksForNothing(this.#query);
    const shown = this.#matches.length;
    const all = browsing && !chosen(this.#query.filters) ? this.#collection.items : shown;
    fill(this.tally, browsing && !chosen(this.#query.filters) ? said.browsing(all) : said.results(shown, !this.#ended));
    this.grid.resize(shown);
    this.end.hidden = !(this.#ended && shown > 24);
    this.nothing.hidden = shown > 0;
    if (shown) return;
    if (this.#collection.items) fill(this.nothing, empty(icon("search"), said.nothing, said.nothingHint));
    else fill(this.nothing, empty(icon("picture"), said.emptyTitle, said.emptyHint));
  }

  #cell(place) {
    const item = this.#matches[place];
    return cell(item, this.#showsPictures, {
      open: () => this.#open(place),
      more: () => this.#like(item),
      less: asksForNothing(this.#query) ? null : () => this.#unlike(item),
    });
  }

  #open(place) {
    showDetails(this.#matches[place], this.#collection.name, {
      around: (by) => this.#matches[place + by] ?? null,
      actions: (item) => [
        button(said.more, { sign: "plus", kind: "primary", onclick: () => this.#like(item) }),
        asksForNothing(this.#query) ? null : button(said.less, { sign: "minus", onclick: () => this.#unlike(item) }),
        enrolling(this.#page, item),
      ],
    });
  }

  #like(item) {
    if (asksForNothing(this.#query)) this.#go({ item: item.id });
    else this.#go({ like: [...new Set([...this.#query.like, item.id])], unlike: this.#query.unlike.filter((id) => id !== item.id) });
  }

  #unlike(item) {
    this.#go({ unlike: [...new Set([...this.#query.unlike, item.id])], like: this.#query.like.filter((id) => id !== item.id) });
  }

  #drawChips() {
    const { item, vector, name, like, unlike } = this.#query;
    const chips = [];
    if (vector) {
      const kept = recall("upload");
      chips.push(this.#chip(name || said.upload, kept?.vector === vector ? kept.small : null, () => this.#go({ vector: "", name: "" })));
    }
    if (item) chips.push(this.#itemChip(item, (found) => said.like(found), () => this.#go({ item: null }), false));
    for (const id of like) chips.push(this.#itemChip(id, said.like, () => this.#go({ like: like.filter((one) => one !== id) }), false));
    for (const id of unlike) chips.push(this.#itemChip(id, said.unlike, () => this.#go({ unlike: unlike.filter((one) => one !== id) }), true));
    this.chips.hidden = !chips.length;
    fill(this.chips, chips);
  }

  #chip(text, small, remove, less = false) {
    const closing = button(said.remove(text), { sign: "close", onclick: remove });
    fill(closing, icon("close"));
    closing.className = "";
    closing.setAttribute("aria-label", said.remove(text));
    return h("li", { class: less ? "chip less" : "chip" }, small ? picture(small, "") : null, h("span", { class: "clip" }, text), closing);
  }

  #itemChip(id, say, remove, less) {
    const known = this.#items.get(id);
    const made = this.#chip(say(known ? nameOf(known) : said.item(id)), known ? thumbnail(known, 28) : null, remove, less);
    if (!known) {
      this.#page.api.get(`items/${id}`, { collection: this.#collection.name }).then(
        (item) => {
          this.#items.set(id, item);
          made.replaceWith(this.#itemChip(id, say, remove, less));
        },
        // That there is no such item any more is said with the answer.
        () => {},
      );
    }
    return made;
  }

  #openFilters(open = this.filters.element.hidden, refused = null) {
    this.filters.element.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    this.filters.refuse(refused);
  }

  async #drawFilters() {
    const { name } = this.#collection;
    const set = chosen(this.#query.filters);
    fill(this.toggle, icon("filter"), set ? said.filtersOn(set) : said.filters);
    if (this.#filtersOf !== name) {
      this.#filtersOf = name;
      try {
        await this.filters.load(this.#page.api, name);
      } catch (error) {
        this.trouble.say(error);
      }
    }
    this.filters.show(this.#query.filters);
  }

  #command() {
    const line = commandOf(this.#query, this.#collection.name, this.#items, Math.max(10, this.#matches.length));
    openDialog(said.commandTitle, h("div", { class: "stack close" }, h("pre", { class: "card", tabindex: "0" }, line),
      this.#query.vector ? h("p", { class: "muted small" }, said.commandUpload) : null), {
      foot: [button(words.copy, { sign: "copy", kind: "primary", onclick: () => copy(line) })],
    });
  }

  #export() {
    const address = URL.createObjectURL(new Blob([csvOf(this.#matches)], { type: "text/csv;charset=utf-8" }));
    h("a", { href: address, download: `${this.#collection.name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }
}
