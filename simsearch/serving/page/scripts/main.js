// The frame: the collections, the tabs, the theme, and what is said of the server.

import { Api } from "./core/api.js";
import { button, fill, h, icon, select } from "./core/dom.js";
import { isOpen, Watch } from "./core/jobs.js";
import { recall, remember } from "./core/store.js";
import * as route from "./core/route.js";
import { createDuplicates } from "./duplicates/tab.js";
import { createJobs } from "./jobs/tab.js";
import { createMap } from "./map/tab.js";
import { listen } from "./parts/drop.js";
import { createRecognize } from "./recognize/tab.js";
import { createSearch } from "./search/tab.js";
import { words } from "./strings.js";

const SIGNS = { search: "search", map: "map", recognize: "person", duplicates: "copies", jobs: "progress" };
const MAKERS = { search: createSearch, map: createMap, recognize: createRecognize, duplicates: createDuplicates, jobs: createJobs };

class Page {
  api = new Api(words);
  watch = new Watch(this.api);
  collection = null;
  #views = new Map();
  #seen = null;
  #shown = null;
  #owning = 0;

  async start() {
    this.#frame();
    try {
      await this.api.start();
      await this.watch.now();
      if (this.watch.trouble) throw this.watch.trouble;
    } catch (error) {
      this.#say(error.message, words.tryAgain, () => location.reload());
      return;
    }
    this.watch.addEventListener("change", () => this.#changed());
    window.addEventListener("hashchange", () => this.#show());
    listen(() => this.#shown?.takeFiles && !document.querySelector("dialog[open]"), (files) => this.#shown.takeFiles(files));
    this.#show();
    this.#changed();
  }

  /** Goes to a view of the present collection. */
  go(tab, parameters = {}, replace = false) {
    route.go(tab, { collection: this.#named(), ...parameters }, replace);
  }

  link(tab, parameters = {}) {
    return route.whole(tab, { collection: this.#named(), ...parameters });
  }

  get readOnly() {
    return this.api.readOnly;
  }

  #named() {
    return this.watch.collections.length > 1 ? this.collection?.name : null;
  }

  #frame() {
    this.chooser = select([], null, { class: "field chooser", "aria-label": words.collection, hidden: true, onchange: () => this.#choose() });
    this.tabs = h("nav", { class: "tabs", "aria-label": words.menu });
    this.dot = h("span", { class: "dot", "aria-hidden": "true" });
    for (const tab of route.TABS) {
      this.tabs.append(h("a", { href: `#/${tab}`, "data-tab": tab }, icon(SIGNS[tab]), words.tabs[tab], tab === "jobs" ? this.dot : null));
    }
    this.theme = button("", { sign: "moon", square: true, kind: "quiet", onclick: () => this.#turn() });
    this.notice = h("div", { class: "notice news", role: "status", hidden: true });
    this.main = h("main", { id: "content", tabindex: "-1" }, this.notice);
    document.body.append(
      h("a", { class: "button primary skip", href: "#content", onclick: (event) => { event.preventDefault(); this.main.focus(); } }, words.skip),
      h("header", { class: "top" },
        h("a", { class: "brand", href: "#/search", "aria-label": "simsearch" }, icon("brand"), h("span", {}, "simsearch")),
        this.chooser, this.tabs, this.theme),
      this.main,
    );
    this.#themed();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#themed());
  }

  get #dark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  #turn() {
    const next = this.#dark ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      // Storage is off: the choice lasts as long as the page.
    }
    this.#themed();
  }

  #themed() {
    const other = this.#dark ? "light" : "dark";
    fill(this.theme, icon(other === "light" ? "sun" : "moon"));
    this.theme.setAttribute("aria-label", words.theme[other]);
    this.theme.title = words.theme[other];
    window.dispatchEvent(new Event("themechange"));
  }

  #choose() {
    remember("collection", this.chooser.value);
    route.go(route.read().tab, { collection: this.chooser.value });
  }

  #show() {
    const { tab, query } = route.read();
    const { collections } = this.watch;
    const wanted = query.get("collection") ?? recall("collection");
    this.collection = collections.find((one) => one.name === wanted) ?? collections[0];
    this.#seen = this.collection.generation;
    fill(this.chooser, collections.map(({ name }) => h("option", { value: name, selected: name === this.collection.name }, name)));
    this.chooser.value = this.collection.name;
    this.chooser.hidden = collections.length < 2;
    for (const link of this.tabs.children) {
      link.href = route.address(link.dataset.tab, { collection: this.#named() });
      if (link.dataset.tab === tab) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = words.title(words.tabs[tab]);
    if (!this.#views.has(tab)) this.#views.set(tab, MAKERS[tab](this));
    const view = this.#views.get(tab);
    if (view !== this.#shown) {
      this.#shown?.hide?.();
      fill(this.main, this.notice, view.element);
      window.scrollTo(0, 0);
    }
    this.#shown = view;
    this.notice.hidden = true;
    view.show(query);
  }

  #changed() {
    const { jobs, trouble, collections } = this.watch;
    this.dot.classList.toggle("on", jobs.some(isOpen));
    const now = collections.find((one) => one.name === this.collection.name);
    if (trouble) this.#say(trouble.status ? trouble.message : words.gone, words.tryAgain, () => this.watch.now());
    else if (now && now.generation !== this.#seen && !this.#owning) {
      this.#say(words.changed, words.retry, () => this.refresh());
    } else this.notice.hidden = true;
    if (now) this.collection = now;
  }

  /** Shows the present view anew, as the collection is now. */
  refresh() {
    this.#seen = this.collection.generation;
    this.notice.hidden = true;
    this.#shown.refresh();
  }

  /** What the page itself changes is no news. */
  async own(change) {
    this.#owning += 1;
    let answer;
    try {
      answer = await change();
      await this.watch.now();
    } finally {
      this.#owning -= 1;
    }
    const now = this.watch.collections.find((one) => one.name === this.collection.name);
    if (now) this.#seen = now.generation;
    this.notice.hidden = true;
    return answer;
  }

  #say(text, verb, act) {
    if (this.notice.textContent === text + verb && !this.notice.hidden) return;
    this.notice.hidden = false;
    fill(this.notice, h("span", {}, text), button(verb, { kind: "tight", onclick: act }));
  }
}

new Page().start();
