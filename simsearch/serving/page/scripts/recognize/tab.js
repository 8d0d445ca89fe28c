// Recognize: who or what is it, who is enrolled, and how far answers can be trusted.

import { button, fill, h, icon, labelled } from "../core/dom.js";
import { ask, toast, Trouble } from "../parts/dialogs.js";
import { cameraButton, chooser, preview } from "../parts/drop.js";
import { words } from "../strings.js";
import { Answers } from "./answers.js";
import { Calibration } from "./calibrate.js";
import { Identities } from "./identities.js";
import { Tray } from "./tray.js";

const AT_ONCE = 16;
const said = words.recognize;

export function createRecognize(page) {
  return new RecognizeTab(page);
}

class RecognizeTab {
  #page;
  #of = null;

  constructor(page) {
    this.#page = page;
    this.trouble = new Trouble();
    this.answers = new Answers();
    this.tray = new Tray((label, members) => this.#enroll(label, members));
    this.identities = new Identities(page, () => this.refresh());
    this.calibration = new Calibration(page);
    this.dropZone = h("div", { class: "drop-zone" }, icon("person"), h("p", {}, said.drop),
      h("div", { class: "row" }, chooser(said.choose, (files) => this.#ask(files), { kind: "primary", multiple: true }), cameraButton((files) => this.#ask(files))));
    this.box = h("textarea", { class: "field", rows: 3, "aria-label": said.box, placeholder: said.dropTexts });
    this.textForm = h("form", { class: "card stack close", onsubmit: (event) => this.#askText(event) }, this.box,
      h("div", { class: "row" }, h("button", { type: "submit", class: "button primary" }, said.ask)));
    this.busy = h("p", { class: "muted small busy", role: "status" });
    this.known = h("div", { class: "stack", hidden: true }, this.identities.element, this.calibration.element);
    this.element = h("div", { class: "stack" }, h("h1", {}, said.title),
      h("div", { class: "recognize-body" },
        h("div", { class: "stack" }, this.dropZone, this.textForm, this.busy, this.trouble.element, this.answers.element, this.tray.element),
        this.known));
  }

  show() {
    const { modality, name } = this.#page.collection;
    this.dropZone.hidden = modality !== "image";
    this.textForm.hidden = modality !== "text";
    this.takeFiles = modality === "image" ? (files) => this.#ask(files) : null;
    fill(this.identities.add, this.#page.readOnly || modality === "vector" ? null : this.#adding(modality));
    if (this.#of === name) return null;
    this.#of = name;
    this.answers.empty();
    this.tray.empty();
    return this.refresh();
  }

  async refresh() {
    this.trouble.clear();
    const collection = this.#page.collection.name;
    try {
      const [{ identities }] = await Promise.all([this.#page.api.get("identities", { collection }), this.calibration.load()]);
      this.identities.show(identities);
      // Shown when it is whole, so that nothing moves.
      this.known.hidden = false;
    } catch (error) {
      this.trouble.say(error, () => this.refresh());
    }
  }

  #adding(modality) {
    if (modality === "image") return chooser(said.enrollNew, (files) => this.#enrollDialog({ files }), { kind: "tight", sign: "plus", multiple: true });
    return button(said.enrollNew, { kind: "tight", sign: "plus", onclick: () => this.#enrollDialog({}) });
  }

  #enrollDialog({ files = null }) {
    const label = h("input", { class: "field", list: "known-labels", autocomplete: "off", required: true, maxlength: 1000 });
    const text = files ? null : h("textarea", { class: "field", rows: 4, required: true });
    const content = h("div", { class: "stack close" }, labelled(said.label, label), text && labelled(said.box, text));
    ask(said.enrollNew, content, () => this.#enroll(label.value.trim(), files ? files.map((file) => ({ file })) : [{ text: text.value }]), { words: said.enroll });
  }

  async #ask(files) {
    this.trouble.clear();
    if (!this.identities.count && !this.#page.readOnly) {
      this.#enrollDialog({ files });
      return;
    }
    for (let start = 0; start < files.length; start += AT_ONCE) {
      const part = files.slice(start, start + AT_ONCE);
      const asked = await Promise.all(part.map(async (file) => ({ file, name: file.name, small: await preview(file, 160) })));
      const sent = () => this.#page.api.form("recognize", { collection: this.#page.collection.name }, part, { include_vectors: true });
      if (!(await this.#answered(asked, sent))) return;
    }
  }

  #askText(event) {
    event.preventDefault();
    this.trouble.clear();
    const text = this.box.value.trim();
    if (!text) return null;
    return this.#answered([{ text }], () => this.#page.api.post("recognize", { collection: this.#page.collection.name }, { text, include_vectors: true }));
  }

  /** Shows the answers, or what was refused; whether there were any. */
  async #answered(asked, send) {
    fill(this.busy, words.search.searching);
    try {
      const { answers } = await send();
      answers.forEach((answer, place) => {
        this.answers.add(asked[place], answer, this.#page.collection.name);
        if (answer.label === null && answer.vector) this.tray.add(asked[place], answer.vector);
      });
      this.tray.show();
      return true;
    } catch (error) {
      this.trouble.say(error);
      return false;
    } finally {
      fill(this.busy);
    }
  }

  async #enroll(label, members) {
    const collection = this.#page.collection.name;
    const address = `identities/${encodeURIComponent(label)}/examples`;
    const files = members.map((one) => one.file).filter(Boolean);
    const send = () => files.length
      ? this.#page.api.form(address, { collection }, files)
      : this.#page.api.post(address, { collection }, { texts: members.map((one) => one.text) });
    const report = await this.#page.own(send);
    if (!report.added && report.skipped_files.length) throw new Error(report.skipped_files[0].reason);
    toast(said.enrolled(report.added, label));
    await this.refresh();
  }
}
