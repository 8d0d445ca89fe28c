// What was asked and what was answered, side by side with the examples that it rests on.

import { exampleThumbnail } from "../core/api.js";
import { button, fill, h, icon, picture } from "../core/dom.js";
import { percent, score } from "../core/format.js";
import { words } from "../strings.js";

const MOST = 60;
const said = words.recognize;

export class Answers {
  #rows = [];

  constructor(pictures) {
    this.pictures = pictures;
    this.list = h("ul", { class: "stack close" });
    this.clear = button(said.clear, { kind: "quiet tight", onclick: () => this.empty() });
    this.element = h("section", { class: "stack close", hidden: true },
      h("div", { class: "row apart" }, h("h2", {}, said.answers), this.clear), this.list);
  }

  empty() {
    this.#rows = [];
    fill(this.list);
    this.element.hidden = true;
  }

  /** Adds an answer, newest first: `asked` has a small picture or a text. */
  add(asked, answer, collection) {
    this.#rows.unshift(row(asked, answer, collection));
    const dropped = this.#rows.splice(MOST);
    dropped.forEach((one) => one.remove());
    this.list.prepend(this.#rows[0]);
    this.element.hidden = false;
  }
}

function row(asked, answer, collection) {
  const given = asked.text === undefined
    ? h("div", { class: "answer-picture" }, asked.small ? picture(asked.small, asked.name) : icon("picture"))
    : h("p", { class: "answer-text" }, asked.text);
  if (answer.error) {
    return h("li", { class: "card answer" }, given, h("div", {}, h("p", { class: "small muted clip" }, asked.name), h("p", { class: "bad" }, answer.error)));
  }
  const known = answer.label !== null;
  return h("li", { class: "card answer", "data-known": String(known) }, given,
    h("div", { class: "stack tiny" },
      h("h3", { class: "answer-label" }, known ? answer.label : said.unknown),
      answer.probability === null ? null : meter(answer.probability),
      h("p", { class: "small muted number" }, said.score(score(answer.score), answer.threshold === null ? null : score(answer.threshold))),
      answer.impostor_p_value === null ? null : h("p", { class: "small muted" }, said.pValue(percent(answer.impostor_p_value))),
      answer.runner_up ? h("p", { class: "small muted" }, said.runnerUp(answer.runner_up.label, score(answer.runner_up.score))) : null,
      asked.name ? h("p", { class: "small muted clip" }, asked.name) : null),
    h("div", { class: "stack tiny" }, h("p", { class: "small muted" }, said.evidence),
      h("ul", { class: "evidence" }, answer.evidence.slice(0, 4).map((one) => evidence(one, collection)))));
}

/** A probability is never quite one. */
const likely = (share) => (share > 0.999 ? said.nearlySure : percent(share));

function meter(share) {
  const filled = h("span");
  filled.style.transform = `scaleX(${share})`;
  return h("div", { class: "stack tiny" },
    h("div", { class: "bar", role: "img", "aria-label": said.probability(likely(share)) }, filled),
    h("p", { class: "small number" }, said.probability(likely(share))));
}

function evidence(one, collection) {
  const view = one.text === null
    ? picture(exampleThumbnail(collection, one.label, one.id, 72), one.label)
    : h("p", { class: "small evidence-text" }, one.text);
  return h("li", {}, view, h("p", { class: "small clip", title: one.label }, one.label), h("p", { class: "small muted number" }, score(one.score)));
}
