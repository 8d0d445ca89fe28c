// Duplicates: found, looked at group by group, removed by a plan, and put back.

import { button, fill, h, icon, select } from "../core/dom.js";
import { bytes, count } from "../core/format.js";
import { ask, empty, openDialog, toast, Trouble } from "../parts/dialogs.js";
import { JobPanel } from "../parts/progress.js";
import { words } from "../strings.js";
import { aboutPair, fileCard, groupLink, proved } from "./cards.js";
import { Decisions } from "./decisions.js";
import { Viewer } from "./viewer.js";

const PAGE = 100;
const KINDS = ["duplicates", "apply", "undo"];
const said = words.duplicates;

export function createDuplicates(page) {
  return new DuplicatesTab(page);
}

class DuplicatesTab {
  #page;
  #groups = [];
  #cursor = null;
  #totals = null;
  #plan = null;
  #of = null;
  #at = 0;
  #file = 1;
  #decisions = new Decisions();

  constructor(page) {
    this.#page = page;
    this.preset = select(Object.entries(said.presets), "default");
    this.find = button(said.find, { kind: "primary", sign: "copies", onclick: () => this.#start("duplicates/find", { preset: this.preset.value }) });
    this.undoAll = button(said.undo, { sign: "undo", onclick: () => this.#undoRemoval() });
    this.trouble = new Trouble();
    this.progress = new JobPanel(page.watch);
    this.viewer = new Viewer();
    this.files = h("ul", { class: "group-files" });
    this.heading = h("h2", { tabindex: "-1" });
    this.about = h("p", { class: "muted small" });
    this.list = h("ol", { class: "group-list" });
    this.summary = h("p", { class: "number", role: "status" });
    this.stepBack = button(said.undoStep, { sign: "undo", square: true, kind: "tight", onclick: () => this.#undo() });
    this.apply = button(said.apply, { kind: "primary", onclick: () => this.#apply() });
    this.review = h("div", { class: "review", hidden: true },
      h("nav", { class: "card review-list", "aria-label": said.groups }, this.list),
      h("section", { class: "card stack review-group" },
        h("div", { class: "row apart" }, this.heading,
          h("div", { class: "row" },
            button(words.search.previous, { sign: "left", square: true, kind: "tight", onclick: () => this.#step(-1) }),
            button(words.search.next, { sign: "right", square: true, kind: "tight", onclick: () => this.#step(1) }),
            this.stepBack, button(said.keys, { kind: "tight", onclick: () => this.#keys() }),
            button(said.accept, { sign: "check", kind: "primary tight", onclick: () => this.#accept() }))),
        this.viewer.element, this.about, this.files));
    this.foot = h("div", { class: "card row apart review-foot", hidden: true }, this.summary, this.apply);
    this.nothing = h("div", { hidden: true });
    this.element = h("div", { class: "stack" },
      h("div", { class: "row apart tab-head" }, h("h1", {}, said.title),
        h("div", { class: "row" }, h("label", { class: "row nowrap" }, h("span", { class: "small muted" }, said.preset), this.preset), this.find, this.undoAll)),
      this.trouble.element, this.progress.element, this.review, this.foot, this.nothing);
    document.addEventListener("keydown", (event) => this.#key(event));
    page.watch.addEventListener("change", () => this.element.isConnected && this.#watched());
    page.watch.addEventListener("ended", (event) => this.element.isConnected && this.#ended(event.detail));
  }

  show() {
    this.find.disabled = this.#page.readOnly;
    this.#watched();
    if (this.#of === this.#page.collection.name) return null;
    this.#of = this.#page.collection.name;
    return this.refresh();
  }

  hide() {
    this.viewer.stop();
  }

  async refresh() {
    this.trouble.clear();
    this.#groups = [];
    this.#cursor = null;
    try {
      await this.#load();
      this.#at = Math.max(0, this.#groups.findIndex((group) => !this.#decisions.seen.has(group.group)));
    } catch (error) {
      if (error.code !== "no_plan") this.trouble.say(error, () => this.refresh());
      this.#plan = null;
    }
    this.#draw();
  }

  async #load() {
    const collection = this.#page.collection.name;
    const found = await this.#page.api.get("duplicates", { collection, plan: this.#cursor ? this.#plan : null, cursor: this.#cursor, limit: PAGE });
    this.#plan = found.plan;
    this.#totals = found.totals;
    this.#cursor = found.cursor;
    this.#decisions.open(found.plan);
    this.#groups.push(...found.groups.map(proved));
  }

  get #applied() {
    const last = this.#page.watch.latest(this.#page.collection.name, ["apply", "undo", "duplicates"]);
    return last?.kind === "apply" && last.state === "done";
  }

  #draw() {
    const some = this.#groups.length > 0 && !this.#applied;
    this.review.hidden = !some;
    this.foot.hidden = !some;
    this.nothing.hidden = some;
    fill(this.find, icon("copies"), this.#plan ? said.again : said.find);
    const undoable = this.#page.watch.jobs.some((job) => job.collection === this.#of && job.kind === "apply" && job.result?.removed);
    this.undoAll.hidden = !undoable || this.#page.readOnly;
    if (some) {
      this.#drawList();
      this.#drawGroup();
    } else if (this.#applied) fill(this.nothing, empty(icon("check"), said.applied(this.#page.watch.latest(this.#of, ["apply"]).result.removed), said.applyHint));
    else if (this.#plan) fill(this.nothing, empty(icon("check"), said.found, said.foundHint));
    else fill(this.nothing, empty(icon("copies"), said.none, said.noneHint));
  }

  #drawList() {
    fill(this.list, this.#groups.map((group, place) => groupLink(group, place, {
      current: place === this.#at,
      seen: this.#decisions.seen.has(group.group),
      pick: () => this.#picked(place),
    })));
  }

  #drawGroup() {
    const group = this.#groups[this.#at];
    const kept = this.#decisions.kept(group);
    this.#file = Math.min(this.#file, group.files.length - 1);
    let chosen = group.files[this.#file];
    if (chosen === kept) chosen = group.files.find((file) => file !== kept);
    for (const file of group.files) file.now = this.#decisions.action(group, file);
    fill(this.heading, said.group(count(this.#at + 1), count(this.#totals.groups)));
    this.viewer.compare(kept, chosen);
    fill(this.about, aboutPair(group, chosen));
    const inside = this.files.contains(document.activeElement);
    fill(this.files, group.files.map((file, place) => fileCard(file, place === this.#file, {
      choose: () => this.#choose(place),
      decide: (action) => this.#decide(place, action),
    })));
    if (inside) this.heading.focus({ preventScroll: true });
    for (const link of this.list.querySelectorAll("button")) {
      if (Number(link.dataset.at) === this.#at) {
        link.setAttribute("aria-current", "true");
        link.scrollIntoView({ block: "nearest" });
      } else link.removeAttribute("aria-current");
    }
    this.list.children[this.#at]?.querySelector(".seen").classList.toggle("on", this.#decisions.seen.has(group.group));
    this.stepBack.disabled = !this.#decisions.canUndo;
    this.apply.disabled = this.#page.readOnly;
    this.#drawSummary();
  }

  #drawSummary() {
    const changes = this.#decisions.changed();
    let { files, bytes: size } = this.#totals;
    const known = new Map(this.#groups.map((group) => [group.group, group]));
    for (const { group, file, action } of changes) {
      const of = known.get(group)?.files.find((one) => one.file === file);
      if (!of) continue;
      const by = Number(action === "remove") - Number(of.action === "remove");
      files += by;
      size += by * of.bytes;
    }
    fill(this.summary, `${said.summary(files, bytes(size))} · ${said.reviewed(count(this.#decisions.seen.size), count(this.#totals.groups))}`);
  }

  async #go(place) {
    if (place >= this.#groups.length - 5 && this.#cursor) {
      try {
        await this.#load();
        this.#drawList();
      } catch (error) {
        this.trouble.say(error);
      }
    }
    this.#at = Math.max(0, Math.min(this.#groups.length - 1, place));
    this.#file = 1;
    this.#drawGroup();
  }

  /** Goes to a group of the list; the focus goes with it, so that the keys work on the group. */
  async #picked(place) {
    await this.#go(place);
    this.heading.focus({ preventScroll: true });
  }

  #step(by) {
    return this.#go(this.#at + by);
  }

  #choose(place) {
    const { files } = this.#groups[this.#at];
    this.#file = (place + files.length) % files.length;
    this.#drawGroup();
  }

  #decide(place, action) {
    const group = this.#groups[this.#at];
    const file = group.files[place];
    this.#file = place;
    if (action === "keep") this.#decisions.keep(group, file);
    else if (!this.#decisions.set(group, file, action)) toast(said.wantsOne);
    this.#drawGroup();
  }

  #accept() {
    this.#decisions.accept(this.#groups[this.#at]);
    this.list.children[this.#at]?.querySelector(".seen").classList.add("on");
    if (this.#at < this.#groups.length - 1) return this.#step(1);
    this.#drawGroup();
    return null;
  }

  #undo() {
    const number = this.#decisions.undo();
    if (number === null) return;
    const place = this.#groups.findIndex((group) => group.group === number);
    if (place >= 0) this.#at = place;
    this.#drawList();
    this.#drawGroup();
  }

  #key(event) {
    if (!this.element.isConnected || this.review.hidden || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const does = {
      ArrowDown: () => this.#step(1),
      ArrowUp: () => this.#step(-1),
      ArrowRight: () => this.#choose(this.#file + 1),
      ArrowLeft: () => this.#choose(this.#file - 1),
      k: () => this.#decide(this.#file, "keep"),
      d: () => this.#decide(this.#file, "remove"),
      l: () => this.#decide(this.#file, "leave"),
      u: () => this.#undo(),
      1: () => this.viewer.show("beside"),
      2: () => this.viewer.show("flicker"),
      3: () => this.viewer.show("slider"),
      "?": () => this.#keys(),
    };
    // On a control Enter presses that control.
    if (event.key === "Enter" && !event.target.closest("button, a")) does.Enter = () => this.#accept();
    const act = does[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #keys() {
    openDialog(said.keysTitle, h("dl", { class: "facts keys" },
      said.keyList.map(([keys, what]) => [h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, what)])));
  }

  async #start(path, body) {
    this.trouble.clear();
    try {
      await this.#page.api.post(path, { collection: this.#page.collection.name }, body);
      await this.#page.watch.now();
    } catch (error) {
      this.trouble.say(error);
    }
  }

  async #apply() {
    const collection = this.#page.collection.name;
    this.trouble.clear();
    let made;
    try {
      made = await this.#page.api.post("duplicates/plan", { collection }, { plan: this.#plan, choices: this.#decisions.changed() });
    } catch (error) {
      this.trouble.say(error);
      return;
    }
    ask(said.applyTitle(made.files), h("p", {}, said.applyHint), async () => {
      await this.#page.api.post("duplicates/apply", { collection }, { plan: made.plan });
      await this.#page.watch.now();
    }, { words: said.applyGo });
  }

  #undoRemoval() {
    ask(said.undoTitle, h("p", {}, said.applyHint), async () => {
      await this.#page.api.post("duplicates/undo", { collection: this.#page.collection.name }, {});
      await this.#page.watch.now();
    }, { words: said.undo });
  }

  #watched() {
    const job = this.#page.watch.latest(this.#page.collection.name, KINDS, true);
    this.progress.show(job ?? null);
    this.find.disabled = Boolean(job) || this.#page.readOnly;
    this.undoAll.disabled = Boolean(job);
  }

  #ended(job) {
    if (job.collection !== this.#of || !KINDS.includes(job.kind)) return;
    if (job.state !== "done") this.trouble.say(new Error([job.error ?? words.jobs.states[job.state], job.kept].filter(Boolean).join(" – ")));
    else if (job.kind === "undo") toast(said.undone(job.result.restored));
    if (job.state === "done") this.#page.refresh();
  }
}
