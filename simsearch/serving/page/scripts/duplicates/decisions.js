// What was decided on the groups of a plan, with every step back.

import { recall, remember } from "../core/store.js";

export class Decisions {
  #plan = null;
  #choices = new Map();
  #steps = [];
  seen = new Set();

  /** Takes up what was decided on a plan before. */
  open(plan) {
    if (plan === this.#plan) return;
    const kept = recall("decisions");
    this.#plan = plan;
    this.#steps = [];
    const same = kept?.plan === plan;
    this.#choices = new Map(same ? kept.choices : []);
    this.seen = new Set(same ? kept.seen : []);
  }

  /** What happens to a file of a group. */
  action(group, file) {
    return this.#choices.get(`${group.group} ${file.file}`) ?? file.action;
  }

  /** The file of a group that is kept. */
  kept(group) {
    return group.files.find((file) => this.action(group, file) === "keep");
  }

  keep(group, chosen) {
    this.#step(group, (file) => (file === chosen ? "keep" : this.action(group, file) === "keep" ? "remove" : this.action(group, file)));
  }

  /** Lets a file go or stay; the kept one is only given up for another. False where that was asked. */
  set(group, chosen, action) {
    if (this.kept(group) === chosen) return false;
    this.#step(group, (file) => (file === chosen ? action : this.action(group, file)));
    return true;
  }

  accept(group) {
    this.#step(group, (file) => this.action(group, file));
  }

  /** Takes the last step back; its group, or null. */
  undo() {
    const step = this.#steps.pop();
    if (!step) return null;
    for (const [key, action] of step.before) {
      if (action === undefined) this.#choices.delete(key);
      else this.#choices.set(key, action);
    }
    if (!step.seen) this.seen.delete(step.group);
    this.#save();
    return step.group;
  }

  get canUndo() {
    return this.#steps.length > 0;
  }

  /** The decisions that differ from the plan, as the API takes them. */
  changed() {
    return [...this.#choices].map(([key, action]) => {
      const [group, file] = key.split(" ").map(Number);
      return { group, file, action };
    });
  }

  #step(group, decide) {
    const before = [];
    const after = group.files.map((file) => [file, decide(file)]);
    for (const [file, action] of after) {
      const key = `${group.group} ${file.file}`;
      before.push([key, this.#choices.get(key)]);
      if (action === file.action) this.#choices.delete(key);
      else this.#choices.set(key, action);
    }
    this.#steps.push({ group: group.group, before, seen: this.seen.has(group.group) });
    this.seen.add(group.group);
    this.#save();
  }

  #save() {
    remember("decisions", { plan: this.#plan, choices: [...this.#choices], seen: [...this.seen] });
  }
}
