// Look around: the whole collection as a map.

import { thumbnail } from "../core/api.js";
import { button, delayed, fill, h, icon, labelled, picture, select } from "../core/dom.js";
import { baseName, count } from "../core/format.js";
import { isOpen } from "../core/jobs.js";
import { enrolling, showDetails } from "../parts/details.js";
import { empty, Trouble } from "../parts/dialogs.js";
import { JobPanel } from "../parts/progress.js";
import { words } from "../strings.js";
import { labelColor, MOST, packedColor, parts, ramp, rampStops } from "./colors.js";
import { Plot } from "./plot.js";
import { Cells, largest, unpack } from "./points.js";

const OUTLIERS = 24;
const said = words.map;

export function createMap(page) {
  return new MapTab(page);
}

class MapTab {
  #page;
  #map = null;
  #density = null;
  #of = null;
  #only = null;
  #mode = "label";
  #items = new Map();
  #asked = 0;

  constructor(page) {
    this.#page = page;
    this.plot = new Plot({ name: said.canvas, hover: (place, x, y) => this.#hover(place, x, y), pick: (place) => this.#pick(place) });
    this.tip = h("div", { class: "map-tip card", hidden: true });
    this.mode = select(Object.entries(said.colors), "label", { onchange: () => this.#go() });
    this.legend = h("div", { class: "stack close" });
    this.outliers = h("ul", { class: "map-outliers" });
    this.trouble = new Trouble();
    this.progress = new JobPanel(page.watch);
    this.nothing = h("div", { hidden: true });
    const zooms = h("div", { class: "map-zoom" },
      button(said.zoomIn, { sign: "plus", square: true, onclick: () => this.plot.zoom(1.6) }),
      button(said.zoomOut, { sign: "minus", square: true, onclick: () => this.plot.zoom(1 / 1.6) }),
      button(said.all, { sign: "fit", square: true, onclick: () => this.plot.fit() }));
    this.body = h("div", { class: "map-body", hidden: true },
      h("div", { class: "map-plane card" }, this.plot.canvas, zooms, this.tip),
      h("aside", { class: "stack", "aria-label": said.legend },
        labelled(said.color, this.mode),
        this.legend,
        h("section", { class: "stack close" }, h("h2", {}, said.outliers), h("p", { class: "muted small" }, said.outliersHint), this.outliers)));
    this.element = h("div", { class: "stack" },
      h("div", {}, h("h1", {}, said.title), h("p", { class: "muted" }, said.hint)),
      this.trouble.element, this.progress.element, this.body, this.nothing);
    page.watch.addEventListener("change", () => this.#watched());
    window.addEventListener("themechange", () => this.#map && this.#draw());
    this.moved = delayed(60, (place) => this.#tip(place));
  }

  get #theme() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  }

  show(parameters) {
    this.#mode = said.colors[parameters.get("color")] ? parameters.get("color") : "label";
    this.#only = parameters.get("label");
    this.mode.value = this.#mode;
    if (this.#of === this.#page.collection.name && this.#map) {
      this.#draw();
      return null;
    }
    this.#of = this.#page.collection.name;
    return this.refresh();
  }

  async refresh() {
    this.trouble.clear();
    const asked = (this.#asked += 1);
    const collection = this.#page.collection.name;
    try {
      const { status, content } = await this.#page.api.bytes("map", { collection, format: "binary" });
      if (asked !== this.#asked) return;
      if (status === 202) await this.#wait(content, asked);
      else this.#load(unpack(content));
    } catch (error) {
      if (asked === this.#asked) this.trouble.say(error, () => this.refresh());
    }
  }

  async #wait(job, asked) {
    this.progress.show(job);
    const ended = await this.#page.watch.ended(job.id);
    if (asked !== this.#asked) return;
    this.progress.show(null);
    if (ended.state === "done") await this.refresh();
    else this.trouble.say(new Error(ended.error ?? words.jobs.states[ended.state]), () => this.refresh());
  }

  #watched() {
    const job = this.#page.watch.latest(this.#of, ["map"]);
    if (!this.progress.element.hidden && job && isOpen(job)) this.progress.show(job);
  }

  #load(map) {
    this.#map = map.count > 1 ? map : null;
    this.#items.clear();
    this.body.hidden = !this.#map;
    this.nothing.hidden = Boolean(this.#map);
    if (!this.#map) {
      fill(this.nothing, empty(icon("map"), said.empty, said.emptyHint));
      return;
    }
    const cells = new Cells(map);
    this.#density = cells.density(map.count);
    this.plot.load(map, cells);
    this.#draw();
    this.#drawOutliers();
  }

  #go(change = {}) {
    this.#page.go("map", { color: this.mode.value, label: this.#only, ...change }, true);
  }

  #draw() {
    const { count: total, label, labels } = this.#map;
    const theme = this.#theme;
    const shade = this.#amounts();
    const colors = new Uint32Array(total);
    const ofLabels = Array.from({ length: MOST + 1 }, (_, i) => packedColor(parts(labelColor(i - 1, theme))));
    const steps = Array.from({ length: 256 }, (_, i) => packedColor(ramp(i / 255, theme)));
    for (let i = 0; i < total; i += 1) {
      colors[i] = shade ? steps[Math.round(shade[i] * 255)] : ofLabels[label[i] < 0 ? 0 : 1 + (label[i] % MOST)];
    }
    const only = this.#only === null ? -1 : labels.indexOf(this.#only);
    const hidden = only < 0 ? null : Uint8Array.from(label, (one) => (one === only ? 0 : 1));
    this.plot.ground = packedColor(parts(theme === "dark" ? "#1b1e21" : "#ffffff"));
    this.plot.paint(colors, hidden);
    this.#drawLegend(theme);
  }

  /** What a point is colored by, from 0 to 1, or null where it is its label. */
  #amounts() {
    if (this.#mode === "density") return this.#density;
    if (this.#mode !== "outlier") return null;
    const { outlier } = this.#map;
    const order = Float32Array.from(outlier).sort();
    const [low, high] = [order[0], order[Math.floor(order.length * 0.995)]];
    return outlier.map((value) => Math.max(0, Math.min(1, (value - low) / (high - low || 1))));
  }

  #drawLegend(theme) {
    if (this.#mode !== "label") {
      const ends = this.#mode === "density" ? [said.sparse, said.dense] : [said.usual, said.unusual];
      const bar = h("div", { class: "ramp" });
      bar.style.background = `linear-gradient(90deg, ${rampStops(theme).join(", ")})`;
      fill(this.legend, bar, h("div", { class: "row apart small muted" }, h("span", {}, ends[0]), h("span", {}, ends[1])));
      return;
    }
    const { label, labels } = this.#map;
    const counts = new Uint32Array(labels.length + 1);
    for (const one of label) counts[one + 1] += 1;
    const rows = labels.map((name, place) => this.#legendRow(name, name, counts[place + 1], labelColor(place, theme)));
    fill(this.legend, h("h2", {}, said.legend), h("div", { class: "map-labels" }, rows,
      counts[0] ? h("span", { class: "map-label" }, swatch(labelColor(-1, theme)), h("span", { class: "clip" }, words.noLabel), h("span", { class: "muted number small" }, count(counts[0]))) : null));
  }

  #legendRow(name, text, amount, color) {
    const on = this.#only === name;
    return h("button", { type: "button", class: "map-label", "aria-pressed": String(on), onclick: () => this.#go({ label: on ? null : name }) },
      swatch(color), h("span", { class: "clip" }, text), h("span", { class: "muted number small" }, count(amount)));
  }

  async #item(place) {
    const id = this.#map.ids[place];
    if (!this.#items.has(id)) {
      this.#items.set(id, await this.#page.api.get(`items/${id}`, { collection: this.#page.collection.name }));
    }
    return this.#items.get(id);
  }

  #hover(place, x, y) {
    this.tip.hidden = place < 0;
    if (place < 0) {
      this.moved(-1);
      return;
    }
    const { clientWidth: width, clientHeight: height } = this.plot.canvas;
    this.tip.style.left = `${Math.max(8, Math.min(width - 188, x + 16))}px`;
    this.tip.style.top = `${Math.max(8, Math.min(height - 236, y + 16))}px`;
    if (Number(this.tip.dataset.place) !== place) {
      fill(this.tip, h("div", { class: "map-tip-picture" }), h("p", { class: "clip" }, this.#labelOf(place)));
      this.tip.dataset.place = place;
      this.moved(place);
    }
  }

  #labelOf(place) {
    const { label, labels } = this.#map;
    return label[place] < 0 ? words.noLabel : labels[label[place]];
  }

  async #tip(place) {
    if (place < 0) return;
    let item;
    try {
      item = await this.#item(place);
    } catch (error) {
      if (Number(this.tip.dataset.place) === place) fill(this.tip, h("p", { class: "small" }, error.message));
      return;
    }
    if (Number(this.tip.dataset.place) !== place) return;
    const view = item.text === null
      ? h("div", { class: "map-tip-picture" }, picture(thumbnail(item, 160), ""))
      : h("p", { class: "map-tip-text small" }, item.text);
    fill(this.tip, view, h("button", { type: "button", class: "map-tip-open", onclick: () => this.#pick(place) },
      h("span", { class: "clip" }, this.#labelOf(place)), h("span", { class: "clip muted small" }, baseName(item.path))));
  }

  async #pick(place) {
    try {
      const item = await this.#item(place);
      showDetails(item, this.#page.collection.name, {
        actions: () => [button(words.search.more, { sign: "search", kind: "primary", onclick: () => this.#page.go("search", { item: item.id }) }), enrolling(this.#page, item)],
      });
    } catch (error) {
      this.trouble.say(error);
    }
  }

  async #drawOutliers() {
    const map = this.#map;
    const places = largest(map.outlier, OUTLIERS);
    fill(this.outliers, places.map((place) => this.#outlier(place)));
  }

  #outlier(place) {
    const made = h("button", { type: "button", class: "map-outlier", onclick: () => { this.plot.show(place); this.#pick(place); },
      onfocus: () => this.plot.mark(place), onmouseenter: () => this.plot.mark(place) });
    made.setAttribute("aria-label", `${this.#labelOf(place)}, ${said.outlierScore(this.#map.outlier[place])}`);
    this.#item(place).then(
      (item) => {
        made.title = `${item.path}\n${said.outlierScore(this.#map?.outlier[place] ?? 0)}`;
        fill(made, item.text === null ? picture(thumbnail(item, 96), "") : h("span", { class: "small" }, item.text));
      },
      () => made.remove(),
    );
    return h("li", {}, made);
  }
}

function swatch(color) {
  const made = h("span", { class: "swatch" });
  made.style.background = color;
  return made;
}
