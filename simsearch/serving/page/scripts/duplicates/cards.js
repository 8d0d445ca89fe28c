// The files of a group, and the groups in the list.

import { thumbnail } from "../core/api.js";
import { button, h, icon, picture } from "../core/dom.js";
import { baseName, bytes, count, percent, score } from "../core/format.js";
import { words } from "../strings.js";

const WHOLE = 0.96;
const said = words.duplicates;

/** A group in the list. */
export function groupLink(group, place, { current, seen, pick }) {
  const kept = group.files[0];
  return h("li", {}, h("button", { type: "button", class: "group-link", "aria-current": current ? "true" : null, "data-at": place, onclick: pick },
    kept.item?.thumbnail ? picture(thumbnail(kept.item, 48), "") : h("span", { class: "group-sign" }, icon("copies")),
    h("span", { class: "clip" }, baseName(kept.path)),
    h("span", { class: "muted small number" }, count(group.files.length)),
    h("span", { class: seen ? "seen on" : "seen" }, icon("check"))));
}

/** A file of a group, with what can be decided on it. */
export function fileCard(file, isChosen, { choose, decide }) {
  const { now } = file;
  const small = file.item?.thumbnail ? picture(thumbnail(file.item, 72), "") : icon("copies");
  const acts = now === "keep" ? null : h("div", { class: "row" },
    button(said.keep, { kind: "tight", onclick: () => decide("keep") }),
    button(now === "remove" ? said.leaveIt : said.drop, { kind: "tight", onclick: () => decide(now === "remove" ? "leave" : "remove") }));
  return h("li", { class: "file-card", "data-now": now, "data-chosen": String(isChosen) },
    h("button", { type: "button", class: "file-main", onclick: () => choose(), "aria-pressed": String(isChosen) },
      h("span", { class: "file-picture" }, small),
      h("span", { class: "stack tiny" },
        h("span", { class: "row" }, h("strong", { class: "state" }, { keep: said.kept, remove: said.remove, leave: said.leave }[now]), h("span", { class: "muted small" }, factsOf(file))),
        h("span", { class: "small" }, file.path),
        file.reason ? h("span", { class: "muted small" }, file.reason) : null)),
    acts);
}

/** What relates each file to the kept one of the plan: its own place is where it is. */
export function proved(group) {
  for (const file of group.files) file.proved = file.action === "keep";
  return group;
}

function factsOf(file) {
  const size = file.width ? `${file.width} × ${file.height}` : null;
  return [size, bytes(file.bytes), file.companions.length ? words.items(file.companions.length) : null].filter(Boolean).join(" · ");
}

/** What relates a file to the kept one, in words. */
export function aboutPair(group, other) {
  const parts = [other?.kind, other?.score == null ? null : `${words.search.facts.score} ${score(other.score)}`];
  if (other?.overlap && Math.min(...other.overlap) < WHOLE) parts.push(said.shows(percent(other.overlap[0])));
  if (group.split) parts.push(said.splitNote);
  return parts.filter(Boolean).join(" · ");
}
