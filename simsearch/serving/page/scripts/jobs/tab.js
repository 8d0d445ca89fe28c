// Progress: what runs, what ran, what can be started, and how the collections are.

import { button, fill, h, icon, labelled, select } from "../core/dom.js";
import { bytes, count, date, duration, shortFolder } from "../core/format.js";
import { isOpen } from "../core/jobs.js";
import { empty, Trouble } from "../parts/dialogs.js";
import { JobPanel, jobTitle } from "../parts/progress.js";
import { words } from "../strings.js";

const said = words.jobs;
const OTHER = "\u0000other";
const MOST = 30;

export function createJobs(page) {
  return new JobsTab(page);
}

class JobsTab {
  #page;
  #panels = new Map();
  #drawnFor = null;
  #listed = "";

  constructor(page) {
    this.#page = page;
    this.trouble = new Trouble();
    this.starting = h("form", { class: "card stack close", onsubmit: (event) => this.#start(event) });
    this.running = h("div", { class: "stack close" });
    this.list = h("ul", { class: "stack close" });
    this.health = h("div", { class: "health" });
    this.element = h("div", { class: "stack" },
      h("h1", {}, said.title),
      h("div", { class: "jobs-body" },
        h("section", { class: "stack close" }, h("h2", {}, said.list), this.running, this.list),
        h("div", { class: "stack" },
          h("section", { class: "stack close" }, h("h2", {}, said.index), this.starting, this.trouble.element),
          h("section", { class: "stack close" }, h("h2", {}, said.health), this.health))));
    page.watch.addEventListener("change", () => this.element.isConnected && this.#draw());
  }

  show() {
    this.#draw();
  }

  refresh() {
    this.#drawnFor = null;
    this.#draw();
  }

  #draw() {
    const { jobs } = this.#page.watch;
    const open = jobs.filter(isOpen);
    this.#drawRunning(open);
    const ended = jobs.filter((job) => !isOpen(job)).slice(0, MOST);
    const now = JSON.stringify(ended.map((job) => job.id));
    if (now !== this.#listed || !jobs.length) {
      this.#listed = now;
      fill(this.list, ended.map((job) => this.#row(job)));
    }
    if (!jobs.length) fill(this.list, h("li", {}, empty(icon("progress"), said.none, said.noneHint)));
    this.#drawHealth();
    if (this.#drawnFor !== this.#page.collection.name) {
      this.#drawnFor = this.#page.collection.name;
      this.#drawStarting();
    }
  }

  #drawRunning(open) {
    const ids = new Set(open.map((job) => job.id));
    for (const [id, panel] of this.#panels) {
      if (!ids.has(id)) {
        panel.element.remove();
        this.#panels.delete(id);
      }
    }
    for (const job of [...open].reverse()) {
      if (!this.#panels.has(job.id)) {
        const panel = new JobPanel(this.#page.watch);
        this.#panels.set(job.id, panel);
        this.running.append(panel.element);
      }
      this.#panels.get(job.id).show(job);
    }
  }

  #row(job) {
    const result = job.result && said.results[job.kind]?.(job.result);
    const took = job.started && job.ended ? said.took(duration(job.ended - job.started)) : null;
    const several = this.#page.watch.collections.length > 1 ? job.collection : null;
    const bad = job.state === "failed" || job.state === "interrupted";
    return h("li", { class: "card job-row", "data-state": job.state },
      icon(job.state === "done" ? "check" : bad ? "warning" : "minus"),
      h("div", { class: "stack tiny" },
        h("h3", {}, jobTitle(job), " ", h("span", { class: "muted small" }, [said.states[job.state], several].filter(Boolean).join(" · "))),
        result ? h("p", {}, result) : null,
        job.error ? h("p", { class: "bad" }, job.error) : null,
        job.kept ? h("p", { class: "muted small" }, job.kept) : null,
        h("p", { class: "muted small" }, [date(job.created), took].filter(Boolean).join(" · "))));
  }

  #drawStarting() {
    if (this.#page.readOnly) {
      fill(this.starting, h("p", { class: "muted" }, said.readOnly));
      return;
    }
    const { roots, modality } = this.#page.collection;
    this.folder = select([["", said.allFolders], ...roots.map((root) => [root, shortFolder(root, 3)]), [OTHER, said.other]], "", {
      onchange: () => { this.path.parentElement.hidden = this.folder.value !== OTHER; },
    });
    this.path = h("input", { class: "field", autocomplete: "off", spellcheck: "false", placeholder: said.pathHint });
    this.byFolder = h("input", { type: "checkbox" });
    this.verify = h("input", { type: "checkbox" });
    const path = labelled(said.path, this.path);
    path.hidden = true;
    fill(this.starting,
      h("p", { class: "muted small" }, said.indexHint),
      labelled(said.folder, this.folder), path,
      modality === "image" ? h("label", { class: "check" }, this.byFolder, said.byFolder) : null,
      h("label", { class: "check" }, this.verify, said.verify),
      h("div", {}, h("button", { type: "submit", class: "button primary" }, said.index)));
  }

  async #start(event) {
    event.preventDefault();
    this.trouble.clear();
    const folder = this.folder.value === OTHER ? this.path.value.trim() : this.folder.value;
    try {
      await this.#page.api.post("jobs", { collection: this.#page.collection.name }, {
        kind: "index",
        folder: folder || null,
        labels: this.byFolder.checked ? "folder" : null,
        verify_content: this.verify.checked,
      });
      await this.#page.watch.now();
    } catch (error) {
      this.trouble.say(error);
    }
  }

  #drawHealth() {
    const now = JSON.stringify(this.#page.watch.collections);
    if (this.health.dataset.now === now) return;
    this.health.dataset.now = now;
    fill(this.health, this.#page.watch.collections.map((one) => this.#card(one)));
  }

  #card(one) {
    const names = said.facts;
    const facts = [
      [names.modality, said.modality[one.modality] ?? one.modality],
      [names.items, count(one.items)],
      [names.contents, count(one.contents)],
      [names.labels, count(Object.keys(one.labels).length)],
      [names.encoder, one.encoder ?? "–"],
      [names.bytes, bytes(one.bytes_on_disk)],
      [names.problems, one.problems ? count(one.problems) : said.noProblems],
      [names.folders, one.roots.length ? one.roots.map((root) => h("span", { class: "block" }, root)) : "–"],
    ];
    return h("article", { class: "card stack close" },
      h("h3", { class: "row" }, icon(one.problems ? "warning" : "check"), one.name),
      h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
  }
}
