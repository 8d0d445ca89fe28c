// The jobs of the server and the state of its collections, asked for again and again while the page is seen.

import { Refused } from "./api.js";

const OPEN = new Set(["waiting", "running"]);
const QUICK = 400;
const SLOW = 4000;

export const isOpen = (job) => OPEN.has(job.state);

export class Watch extends EventTarget {
  #api;
  #timer;
  #current = Promise.resolve();
  #states = null;
  #looked = -Infinity;
  jobs = [];
  collections = [];
  /** Why the server gave no answer the last time, or null. */
  trouble = null;

  constructor(api) {
    super();
    this.#api = api;
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
  }

  /** Asks at once, then in its own time; of collections each time only where `own`. */
  now(own = true) {
    clearTimeout(this.#timer);
    const look = () => this.#look(own);
    this.#current = this.#current.then(look, look);
    return this.#current;
  }

  async #look(own) {
    clearTimeout(this.#timer);
    try {
      await this.#ask(own);
      this.#met(null);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#met(error);
    } finally {
      if (!document.hidden) this.#timer = setTimeout(() => this.now(false), this.jobs.some(isOpen) ? QUICK : SLOW);
    }
  }

  async #ask(own) {
    const before = this.#states;
    const { jobs } = await this.#api.get("jobs");
    // One that has begun and ended since the last look has ended too.
    const ended = before === null ? [] : jobs.filter((job) => !isOpen(job) && (before.get(job.id) ?? "running") === "running");
    if (own || ended.length || performance.now() - this.#looked >= SLOW) {
      this.collections = (await this.#api.get("collections")).collections;
      this.#looked = performance.now();
    }
    this.jobs = jobs;
    this.#states = new Map(jobs.map((job) => [job.id, isOpen(job) ? "running" : "ended"]));
    this.dispatchEvent(new Event("change"));
    for (const job of ended) this.dispatchEvent(new CustomEvent("ended", { detail: job }));
  }

  #met(trouble) {
    if (trouble?.message === this.trouble?.message) return;
    this.trouble = trouble;
    this.dispatchEvent(new Event("change"));
  }

  /** The newest job of a kind, open ones only if so asked. */
  latest(collection, kinds, openOnly = false) {
    return this.jobs.find(
      (job) => job.collection === collection && kinds.includes(job.kind) && (!openOnly || isOpen(job)),
    );
  }

  async cancel(id) {
    await this.#api.delete(`jobs/${id}`);
    await this.now();
  }

  /** The job when it has ended. */
  ended(id) {
    return new Promise((resolve) => {
      const look = () => {
        const job = this.jobs.find((one) => one.id === id);
        if (!job || isOpen(job)) return;
        this.removeEventListener("change", look);
        resolve(job);
      };
      this.addEventListener("change", look);
      this.now();
    });
  }
}
