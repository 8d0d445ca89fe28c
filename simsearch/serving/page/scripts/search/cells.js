// What a match looks like in the grid.

import { thumbnail } from "../core/api.js";
import { button, h, picture } from "../core/dom.js";
import { baseName, score } from "../core/format.js";
import { words } from "../strings.js";

const said = words.search;

/** The shape of a grid of pictures, and of rows of texts. */
export const SHAPES = {
  pictures: (width) => {
    const gap = width < 560 ? 8 : 12;
    const least = width < 560 ? 104 : 168;
    const columns = Math.max(2, Math.floor((width + gap) / (least + gap)));
    return { columns, gap, height: (across) => Math.round(across) + 46 };
  },
  rows: () => ({ columns: 1, gap: 8, height: () => 98 }),
};

/** A cell; `acts` has open and more, and less where there is a query that it can lead. */
export function cell(item, pictures, acts) {
  const name = baseName(item.path);
  const inside = pictures
    ? h("span", { class: "cell-picture" }, picture(thumbnail(item, 256), ""))
    : h("span", { class: "cell-text" }, item.text ?? name);
  const main = h("button", { type: "button", class: "cell-main", "data-main": true, "aria-label": label(item, name), title: item.path, onclick: acts.open },
    inside,
    h("span", { class: "cell-line" },
      h("span", { class: "clip" }, pictures ? (item.label ?? name) : [item.label, name].filter(Boolean).join(" · ")),
      item.score === undefined ? null : h("span", { class: "muted number" }, score(item.score))),
    pictures ? h("span", { class: "cell-path clip muted small" }, item.label === null ? "" : name) : null);
  const more = button(said.more, { sign: "plus", square: true, kind: "tight", tabindex: "-1", "data-main": true, onclick: acts.more });
  const less = acts.less && button(said.less, { sign: "minus", square: true, kind: "tight", tabindex: "-1", "data-main": true, onclick: acts.less });
  more.setAttribute("aria-label", `${said.more}: ${name}`);
  less?.setAttribute("aria-label", `${said.less}: ${name}`);
  return h("div", { class: pictures ? "cell" : "cell cell-row", onkeydown: (event) => keys(event, acts) }, main, h("div", { class: "cell-acts" }, more, less));
}

function label(item, name) {
  const parts = [said.details(name), item.label, item.score === undefined ? null : score(item.score), item.text?.slice(0, 120)];
  return parts.filter(Boolean).join(", ");
}

function keys(event, acts) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "m") acts.more();
  else if (event.key === "n") acts.less?.();
}
