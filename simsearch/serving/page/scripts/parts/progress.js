// A job as a bar with words.

import { button, fill, h } from "../core/dom.js";
import { count, duration } from "../core/format.js";
import { isOpen } from "../core/jobs.js";
import { words } from "../strings.js";

const said = words.jobs;

export function jobTitle(job) {
  return said.kinds[job.kind] ?? job.kind;
}

function done(job) {
  const { done: finished, total, unit } = job.progress;
  if (job.state === "waiting") return said.states.waiting;
  if (unit === null || (total === null && !finished)) return said.states.running;
  return said.of(count(finished), total === null ? null : count(total), unit);
}

function left(job) {
  const { done: finished, total } = job.progress;
  if (!total || finished < total / 50 || finished >= total || !job.started) return "";
  const spent = Date.now() / 1000 - job.started;
  return spent < 2 ? "" : said.left(duration((spent * (total - finished)) / finished));
}

/** A panel that follows a job; `show(null)` hides it. */
export class JobPanel {
  #watch;
  #id = null;
  #stopping = null;

  constructor(watch, { withTitle = true } = {}) {
    this.#watch = watch;
    this.title = h("h3", { hidden: !withTitle });
    this.state = h("span", { class: "muted small number" });
    this.filled = h("span");
    this.bar = h("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.filled);
    this.cancel = button(said.stop, { kind: "tight", onclick: () => this.#stop() });
    this.element = h(
      "div",
      { class: "card stack close job-panel", hidden: true },
      h("div", { class: "row apart" }, h("div", {}, this.title, this.state), this.cancel),
      this.bar,
    );
  }

  show(job) {
    this.element.hidden = !job;
    if (!job) return;
    this.#id = job.id;
    fill(this.title, jobTitle(job));
    fill(this.state, [done(job), left(job), job.progress.note].filter(Boolean).join(" · "));
    this.bar.setAttribute("aria-label", jobTitle(job));
    const { done: finished, total } = job.progress;
    const known = Boolean(total) && job.state === "running";
    this.bar.classList.toggle("unknown", !known);
    if (known) {
      const share = Math.min(1, finished / total);
      this.filled.style.transform = `scaleX(${share})`;
      this.bar.setAttribute("aria-valuenow", Math.round(share * 100));
    } else {
      this.filled.style.transform = "";
      this.bar.removeAttribute("aria-valuenow");
    }
    const stopping = this.#stopping === job.id;
    this.cancel.disabled = stopping;
    fill(this.cancel, stopping ? said.stopping : said.stop);
    this.bar.hidden = !isOpen(job);
    this.cancel.hidden = !isOpen(job);
  }

  async #stop() {
    this.#stopping = this.#id;
    this.cancel.disabled = true;
    await this.#watch.cancel(this.#id);
  }
}
