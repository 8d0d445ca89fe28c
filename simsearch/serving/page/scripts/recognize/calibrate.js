// The threshold: what is promised, what each rate would cost, and calibrating again.

import { fill, h, labelled, svg } from "../core/dom.js";
import { percent, score } from "../core/format.js";
import { isOpen } from "../core/jobs.js";
import { Trouble } from "../parts/dialogs.js";
import { JobPanel } from "../parts/progress.js";
import { words } from "../strings.js";

const LOWEST = 1e-4;
const HIGHEST = 0.5;
const START = 0.01;
const [WIDTH, HEIGHT] = [320, 110];
const said = words.recognize;

export class Calibration {
  #page;
  #curve = null;
  #touched = false;

  constructor(page) {
    this.#page = page;
    this.state = h("p");
    this.stale = h("p", { class: "notice bad", role: "status", hidden: true }, said.stale);
    this.rate = h("input", { type: "range", min: Math.log10(LOWEST), max: Math.log10(HIGHEST), step: 0.01, value: Math.log10(START),
      oninput: () => { this.#touched = true; this.#draw(); } });
    this.rateValue = h("output", { class: "number" });
    this.facts = h("dl", { class: "facts" });
    this.chart = h("div", { class: "curve" });
    this.folder = h("input", { class: "field", autocomplete: "off", spellcheck: "false", placeholder: said.impostorsHint });
    this.trouble = new Trouble();
    this.progress = new JobPanel(page.watch);
    this.go = h("button", { type: "submit", class: "button primary" }, said.calibrate);
    this.form = h("form", { class: "stack close", onsubmit: (event) => this.#calibrate(event) },
      h("div", { class: "labelled" }, h("div", { class: "row apart small muted" }, h("label", { for: "rate" }, said.rate), this.rateValue), this.rate),
      this.chart, this.facts, labelled(said.impostors, this.folder), h("div", {}, this.go), this.trouble.element, this.progress.element);
    this.rate.id = "rate";
    this.element = h("section", { class: "stack close" }, h("h2", {}, said.calibration), h("div", { class: "card stack close" }, this.state, this.stale, this.form));
    page.watch.addEventListener("change", () => this.#watched());
  }

  async load() {
    const collection = this.#page.collection.name;
    const { calibration, stale, curve } = await this.#page.api.get("calibration", { collection });
    this.#curve = curve;
    this.stale.hidden = !stale;
    const text = !calibration ? `${said.none} ${said.noneHint}`
      : calibration.guaranteed ? said.holds(percent(calibration.far), percent(calibration.confidence)) : said.unproved;
    fill(this.state, text, calibration ? h("span", { class: "muted number" }, ` (${said.atThreshold(score(calibration.threshold))})`) : null);
    if (calibration && !this.#touched) this.rate.value = Math.log10(calibration.far);
    this.form.hidden = this.#page.readOnly && !curve.points.length;
    this.go.hidden = this.#page.readOnly;
    this.#draw();
  }

  get #far() {
    return Number((10 ** Number(this.rate.value)).toPrecision(2));
  }

  /** The lowest threshold that promises the rate, or null. */
  get #point() {
    const within = this.#curve.points.filter((point) => point.promised <= this.#far);
    return within.at(-1) ?? null;
  }

  #draw() {
    if (!this.#curve) return;
    fill(this.rateValue, percent(this.#far));
    this.rate.setAttribute("aria-valuetext", percent(this.#far));
    const { points, impostors, known, confidence } = this.#curve;
    this.chart.hidden = !points.length;
    this.facts.hidden = !points.length;
    if (!points.length) return;
    const point = this.#point;
    const none = said.nothingPromised;
    const pairs = [
      [said.letIn, point ? said.of(point.impostors_let_in, impostors) : "–"],
      [said.lost, point ? said.of(point.known_lost, known) : "–"],
      [said.promised, point ? `${said.atMost(percent(point.promised))} (${percent(confidence)})` : none],
      [words.recognize.calibration, point ? score(point.threshold) : "–"],
    ];
    fill(this.facts, pairs.map(([name, value]) => [h("dt", {}, name), h("dd", { class: "number" }, value)]));
    fill(this.chart, this.#drawing(point), h("p", { class: "row small muted" },
      h("span", { class: "key in" }, said.chartIn), h("span", { class: "key lost" }, said.chartLost)));
  }

  #drawing(point) {
    const { points, impostors, known } = this.#curve;
    const [high, low] = [points[0].threshold, points.at(-1).threshold];
    const x = (threshold) => ((high - threshold) / (high - low || 1)) * WIDTH;
    const y = (share) => HEIGHT - share * HEIGHT;
    const line = (share, kind) => svg("polyline", { class: kind, points: points.map((one) => `${x(one.threshold).toFixed(1)},${y(share(one)).toFixed(1)}`).join(" ") });
    return svg("svg", { viewBox: `-2 -4 ${WIDTH + 4} ${HEIGHT + 8}`, role: "img", "aria-label": said.chart, preserveAspectRatio: "none" },
      svg("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
      line((one) => one.impostors_let_in / (impostors || 1), "in"),
      line((one) => one.known_lost / (known || 1), "lost"),
      point ? svg("line", { class: "here", x1: x(point.threshold), x2: x(point.threshold), y1: -2, y2: HEIGHT }) : null);
  }

  async #calibrate(event) {
    event.preventDefault();
    this.trouble.clear();
    try {
      const job = await this.#page.api.post("calibrate", { collection: this.#page.collection.name }, { far: this.#far, impostors: this.folder.value.trim() || null });
      this.progress.show(job);
      const ended = await this.#page.watch.ended(job.id);
      if (ended.state !== "done") this.trouble.say(new Error(ended.error ?? words.jobs.states[ended.state]));
      this.#touched = false;
      await this.#page.own(() => this.load());
    } catch (error) {
      this.trouble.say(error);
    }
  }

  #watched() {
    if (!this.element.isConnected) return;
    const job = this.#page.watch.latest(this.#page.collection.name, ["calibrate"]);
    this.progress.show(job && isOpen(job) ? job : null);
    this.go.disabled = Boolean(job && isOpen(job));
  }
}
