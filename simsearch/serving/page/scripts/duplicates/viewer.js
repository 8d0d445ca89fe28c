// Two pictures of a group: side by side with the outline of the proof, in turn, or with a border between them.

import { thumbnail } from "../core/api.js";
import { button, fill, h, moves, picture, svg } from "../core/dom.js";
import { baseName } from "../core/format.js";
import { words } from "../strings.js";
import { corners, css, IDENTITY, onto, times, whole } from "./geometry.js";

const FLICKER = 700;
const LARGE = 512;
const said = words.duplicates;

export class Viewer {
  #mode = "beside";
  #timer = null;
  #pair = null;

  constructor() {
    this.modes = h("div", { class: "row", role: "group", "aria-label": said.viewsName },
      Object.entries(said.views).map(([mode, text]) => button(text, { kind: "tight", "data-mode": mode, onclick: () => this.show(mode) })));
    this.stage = h("div", { class: "viewer" });
    this.element = h("div", { class: "stack close" }, this.modes, this.stage);
  }

  /** Shows a pair: the kept file and another one of the group. */
  compare(kept, other) {
    this.#pair = [kept, other];
    this.show(this.#mode);
  }

  show(mode) {
    this.#mode = mode;
    this.stop();
    for (const one of this.modes.children) one.setAttribute("aria-pressed", String(one.dataset.mode === mode));
    if (!this.#pair) return;
    const [kept, other] = this.#pair;
    const pictures = kept.item?.thumbnail && other?.item?.thumbnail;
    this.modes.hidden = !pictures;
    if (!pictures || mode === "beside") this.#beside(kept, other);
    else this.#over(kept, other, mode);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #beside(kept, other) {
    fill(this.stage, h("div", { class: "viewer-pair" }, this.#figure(kept, said.kept, other), other ? this.#figure(other, said[other.now] ?? said.remove) : null));
  }

  #figure(file, caption, outlined = null) {
    const { item } = file;
    let view;
    if (item?.text != null) view = h("pre", { class: "viewer-text" }, item.text);
    else if (item?.thumbnail) view = h("div", { class: "viewer-frame" }, framed(file, outline(file, outlined)));
    else view = h("p", { class: "viewer-text muted" }, said.noPicture);
    return h("figure", { class: "stack tiny" }, view, h("figcaption", { class: "small muted clip" }, `${caption}: ${baseName(file.path)}`));
  }

  #over(kept, other, mode) {
    const matrix = relation(kept, other);
    const above = h("img", { class: "viewer-above", alt: baseName(other.path), draggable: "false", src: thumbnail(other.item, LARGE) });
    const frame = framed(kept);
    const layer = h("div", { class: "viewer-layer" }, above);
    frame.append(layer);
    place(frame, above, kept, other, matrix);
    const caption = h("figcaption", { class: "small muted clip" });
    const figure = h("figure", { class: "stack tiny" }, h("div", { class: "viewer-frame" }, frame), caption);
    if (mode === "slider") {
      const border = h("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": said.slide });
      const slide = () => { layer.style.clipPath = `inset(0 0 0 ${border.value}%)`; };
      border.addEventListener("input", slide);
      slide();
      fill(caption, `${baseName(kept.path)} | ${baseName(other.path)}`);
      fill(this.stage, figure, border);
      return;
    }
    let over = false;
    const turn = () => {
      over = !over;
      layer.style.visibility = over ? "visible" : "hidden";
      fill(caption, over ? `${said[other.now]}: ${baseName(other.path)}` : `${said.kept}: ${baseName(kept.path)}`);
    };
    turn();
    if (moves()) this.#timer = setInterval(turn, FLICKER);
    fill(this.stage, figure, moves() ? null : button(said.flick, { kind: "tight", onclick: turn }));
  }
}

/** A picture in a box of its own proportions. */
function framed(file, ...over) {
  const box = h("div", { class: "viewer-picture" }, picture(thumbnail(file.item, LARGE), baseName(file.path)), ...over);
  if (file.width && file.height) {
    box.style.aspectRatio = `${file.width} / ${file.height}`;
    box.style.width = `min(100%, ${(file.width / file.height).toFixed(4)} * min(420px, 44vh))`;
  }
  return box;
}

/** The matrix from places on the other picture to places on the kept one, or null where nothing relates them. */
function relation(kept, other) {
  const to = (file) => (file.transformation ? whole(file.transformation) : file.proved ? IDENTITY : null);
  const [shown, copy] = [to(kept), to(other)];
  return shown && copy ? onto(shown, copy) : null;
}

function outline(kept, other) {
  if (!other?.item?.thumbnail || !kept.width || !other.width) return null;
  const matrix = relation(kept, other);
  if (!matrix) return null;
  const points = corners(matrix, other.width, other.height);
  if (!points.flat().every(Number.isFinite)) return null;
  return svg("svg", { class: "viewer-outline", viewBox: `0 0 ${kept.width} ${kept.height}`, preserveAspectRatio: "none", role: "img", "aria-label": said.outline },
    svg("polygon", { points: points.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" ") }));
}

/** Lays the other picture over the kept one as the proof relates them, else stretched to the same box. */
function place(frame, above, kept, other, matrix) {
  if (!matrix || !kept.width || !other.width) return;
  const lay = () => {
    const scale = frame.clientWidth / kept.width;
    above.style.width = `${other.width}px`;
    above.style.height = `${other.height}px`;
    above.style.transform = css(times([[scale, 0, 0], [0, scale, 0], [0, 0, 1]], matrix));
  };
  new ResizeObserver(lay).observe(frame);
}
