// Dialogs, questions and short messages.

import { button, fill, h } from "../core/dom.js";
import { words } from "../strings.js";

let numbers = 0;

/** Opens a dialog; it is gone from the page when it is closed. */
export function openDialog(title, content, { wide = false, foot = [], onclose = null } = {}) {
  const name = `dialog-${(numbers += 1)}`;
  const heading = h("h2", { id: name }, title);
  const dialog = h("dialog", { class: wide ? "wide" : "", "aria-labelledby": name });
  const close = () => dialog.close();
  dialog.append(
    h(
      "div",
      { class: "dialog" },
      h("div", { class: "dialog-head" }, heading, button(words.close, { sign: "close", square: true, kind: "quiet tight", onclick: close })),
      content,
      foot.length ? h("div", { class: "dialog-foot" }, foot) : null,
    ),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    onclose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, close, heading };
}

/** A dialog that does something; what is refused is said in it, and it stays open. */
export function ask(title, content, act, { words: verb = words.save, danger = false } = {}) {
  const refused = h("p", { class: "notice bad", role: "alert", hidden: true });
  const go = h("button", { type: "submit", class: `button ${danger ? "danger" : "primary"}` }, verb);
  const form = h("form", { class: "stack", onsubmit: send }, content, refused,
    h("div", { class: "dialog-foot" }, button(words.cancel, { onclick: () => opened.close() }), go));
  async function send(event) {
    event.preventDefault();
    go.disabled = true;
    try {
      await act();
      opened.close();
    } catch (error) {
      refused.hidden = false;
      fill(refused, error.message);
      go.disabled = false;
    }
  }
  const opened = openDialog(title, form);
  (form.querySelector("input, select, textarea") ?? go).focus();
  return opened;
}

/** Says something for a few seconds. */
export function toast(text) {
  let place = document.querySelector(".toasts");
  if (!place) {
    place = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(place);
  }
  const shown = h("div", { class: "toast" }, text);
  place.append(shown);
  setTimeout(() => shown.remove(), 4000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(words.copied);
  } catch {
    toast(words.notCopied);
  }
}

/** What a view shows where there is nothing. */
export function empty(sign, title, hint, ...more) {
  return h("div", { class: "empty" }, sign, h("h2", {}, title), hint && h("p", {}, hint), more);
}

/** A line for what was refused, where it belongs. */
export class Trouble {
  constructor() {
    this.element = h("div", { class: "notice bad", role: "alert", hidden: true });
  }

  say(error, again = null) {
    this.element.hidden = false;
    fill(this.element, h("span", {}, error.message), again && button(words.tryAgain, { kind: "tight", onclick: again }));
  }

  clear() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }
}
