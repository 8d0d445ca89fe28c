// One item, large, with what is known of it.

import { fileAddress, thumbnail } from "../core/api.js";
import { button, fill, h, icon, labelled, picture } from "../core/dom.js";
import { baseName, bytes, date, folderOf, score } from "../core/format.js";
import { words } from "../strings.js";
import { ask, copy, openDialog, toast } from "./dialogs.js";

const said = words.search;

/**
 * Shows an item; `around` gives the item so many places further, or null. `actions(item)` are buttons of the caller,
 * whose click closes the dialog.
 */
export function showDetails(item, collection, { around = () => null, actions = () => [] } = {}) {
  const body = h("div", { class: "details" });
  const opened = openDialog("", body, { wide: true });
  let place = 0;
  const step = (by) => {
    const next = around(place + by);
    if (!next) return;
    place += by;
    draw(next);
  };
  function draw(shown) {
    fill(opened.heading, baseName(shown.path));
    const view = shown.text === null
      ? picture(thumbnail(shown, 512), baseName(shown.path), { class: "details-picture" })
      : h("pre", { class: "details-text" }, shown.text);
    fill(
      body,
      h("div", { class: "details-view" }, view),
      h("div", { class: "stack" }, facts(shown), h("div", { class: "row" }, actionsOf(shown)),
        h("div", { class: "row" },
          button(said.previous, { sign: "left", kind: "tight", square: true, onclick: () => step(-1), disabled: !around(place - 1) }),
          button(said.next, { sign: "right", kind: "tight", square: true, onclick: () => step(1), disabled: !around(place + 1) }))),
    );
  }
  function actionsOf(shown) {
    const own = actions(shown).filter(Boolean);
    own.forEach((one) => one.addEventListener("click", opened.close));
    return [
      own,
      button(said.copyPath, { sign: "copy", onclick: () => copy(shown.path) }),
      button(said.copyFolder, { sign: "folder", onclick: () => copy(folderOf(shown.path)) }),
      h("a", { class: "button", href: fileAddress(shown, collection), target: "_blank", rel: "noopener" }, icon("open"), said.openFile),
    ];
  }
  opened.dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
  });
  draw(item);
}

/** A button that makes an item an example of a label that is asked for. */
export function enrolling(page, item) {
  if (page.readOnly) return null;
  const label = h("input", { class: "field", required: true, maxlength: 1000, autocomplete: "off", value: item.label ?? "" });
  const send = async () => {
    const name = label.value.trim();
    const { collection } = page;
    const report = await page.own(() =>
      page.api.post(`identities/${encodeURIComponent(name)}/examples`, { collection: collection.name }, { items: [item.id] }));
    if (report.skipped) throw new Error(report.skipped_files[0].reason);
    toast(words.recognize.enrolled(report.added, name));
  };
  const open = () => ask(words.recognize.enrollOne, labelled(words.recognize.label, label), send, { words: words.recognize.enroll });
  return button(words.recognize.enrollOne, { sign: "person", onclick: open });
}

function facts(item) {
  const names = said.facts;
  const pairs = [
    [names.score, item.score === undefined ? null : score(item.score)],
    [names.label, item.label],
    [names.path, item.path],
    [names.size, item.size ? bytes(item.size) : null],
    [names.changed, item.mtime ? date(item.mtime) : null],
    [names.problem, item.problem],
    [names.id, item.id],
    ...Object.entries(item.metadata).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  ];
  return h("dl", { class: "facts" },
    pairs.filter(([, value]) => value !== null).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
