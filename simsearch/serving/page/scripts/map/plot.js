// A plane of points on a canvas: 100,000 of them are drawn into one picture, a few milliseconds each time.

import { h } from "../core/dom.js";
import { boundsOf, discOf, written } from "./shapes.js";

const MOST_ZOOM = 400;
const NEAR = 14;
const MARGIN = 48;
// On both sides, so that the middle stays the middle.
const BUTTONS = 2 * 44;
const FEW = 5000;

export class Plot {
  #map = null;
  #cells = null;
  #colors = null;
  #hidden = null;
  #scale = 1;
  #x = 0;
  #y = 0;
  #waiting = false;
  #pointers = new Map();
  #moved = false;
  #marked = -1;
  #buffer = null;
  #bounds = { x: 0, y: 0, across: 2, down: 2 };

  /** Calls `hover(place, x, y)` with the point under the pointer or -1, `pick(place)` with the one that was clicked. */
  constructor({ name, hover, pick }) {
    this.hover = hover;
    this.pick = pick;
    this.canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": name, class: "plot" });
    this.context = this.canvas.getContext("2d", { alpha: false });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.#down(event));
    this.canvas.addEventListener("pointermove", (event) => this.#moves(event));
    this.canvas.addEventListener("pointerup", (event) => this.#up(event));
    this.canvas.addEventListener("pointercancel", (event) => this.#pointers.delete(event.pointerId));
    // A finger leaves after each touch; what it has shown stays.
    this.canvas.addEventListener("pointerleave", (event) => event.pointerType === "touch" || this.hover(-1, 0, 0));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows other points; `cells` finds the near ones. */
  load(map, cells) {
    this.#map = map;
    this.#cells = cells;
    this.#bounds = boundsOf(map);
    this.fit();
  }

  /** Colors as packed numbers, one a point; `hidden` is true for those that are not drawn, or null. */
  paint(colors, hidden) {
    this.#colors = colors;
    this.#hidden = hidden;
    this.draw();
  }

  mark(place) {
    this.#marked = place;
    this.draw();
  }

  fit() {
    const { x, y } = this.#bounds;
    this.#scale = 1;
    this.#x = x;
    this.#y = y;
    this.draw();
  }

  /** Zooms around a place of the canvas, by default its middle. */
  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const [px, py] = this.#point(x, y);
    this.#scale = Math.max(0.5, Math.min(MOST_ZOOM, this.#scale * factor));
    const [nx, ny] = this.#point(x, y);
    this.#x += px - nx;
    this.#y += py - ny;
    this.#clamp();
    this.draw();
  }

  /** Brings a point to the middle. */
  show(place) {
    this.#x = this.#map.places[2 * place];
    this.#y = this.#map.places[2 * place + 1];
    this.#scale = Math.max(this.#scale, 3);
    this.mark(place);
  }

  get scale() {
    return this.#scale;
  }

  draw() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.drawNow();
    });
  }

  /** Pixels of the canvas for one unit of the map. */
  get #unit() {
    const { across, down } = this.#bounds;
    return Math.min((this.canvas.clientWidth - MARGIN - BUTTONS) / across, (this.canvas.clientHeight - MARGIN) / down) * this.#scale;
  }

  #point(x, y) {
    return [(x - this.canvas.clientWidth / 2) / this.#unit + this.#x, (this.canvas.clientHeight / 2 - y) / this.#unit + this.#y];
  }

  #clamp() {
    this.#x = Math.max(-1, Math.min(1, this.#x));
    this.#y = Math.max(-1, Math.min(1, this.#y));
  }

  /** Draws at once; `draw` does before the next frame. */
  drawNow() {
    const { canvas, context } = this;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height || !this.#buffer) {
      canvas.width = width;
      canvas.height = height;
      const image = context.createImageData(width, height);
      this.#buffer = { image, pixels: new Uint32Array(image.data.buffer) };
    }
    this.#buffer.pixels.fill(this.ground ?? 0xffffffff);
    const few = this.#map !== null && this.#map.count <= FEW;
    if (this.#map && this.#colors && !few) this.#dots(width, height, ratio);
    context.putImageData(this.#buffer.image, 0, 0);
    if (this.#colors && few) this.#circles(ratio);
    if (this.#map && this.#marked >= 0) this.#ring(ratio);
  }

  #dots(width, height, ratio) {
    const { places, count } = this.#map;
    const { pixels } = this.#buffer;
    const colors = this.#colors;
    const hidden = this.#hidden;
    const unit = this.#unit * ratio;
    const [left, top] = [width / 2 - this.#x * unit, height / 2 + this.#y * unit];
    const disc = discOf(this.#radius() * ratio, width);
    const reach = disc.reach;
    for (let i = 0; i < count; i += 1) {
      if (hidden !== null && hidden[i]) continue;
      const x = Math.round(left + places[2 * i] * unit);
      const y = Math.round(top - places[2 * i + 1] * unit);
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
      const at = y * width + x;
      const color = colors[i];
      for (let k = 0; k < disc.offsets.length; k += 1) pixels[at + disc.offsets[k]] = color;
    }
  }

  /** A few points are drawn one by one, with smooth edges. */
  #circles(ratio) {
    const { places, count } = this.#map;
    const { context } = this;
    const unit = this.#unit * ratio;
    const [left, top] = [this.canvas.width / 2 - this.#x * unit, this.canvas.height / 2 + this.#y * unit];
    const radius = this.#radius() * ratio;
    context.lineWidth = ratio;
    context.strokeStyle = written(this.ground ?? 0xffffffff);
    for (let i = 0; i < count; i += 1) {
      if (this.#hidden !== null && this.#hidden[i]) continue;
      context.fillStyle = written(this.#colors[i]);
      context.beginPath();
      context.arc(left + places[2 * i] * unit, top - places[2 * i + 1] * unit, radius, 0, 7);
      context.fill();
      context.stroke();
    }
  }

  #radius() {
    const base = this.#map.count > 20000 ? 1.2 : this.#map.count > 3000 ? 2 : this.#map.count > 300 ? 3.5 : 5;
    return Math.min(8, base * Math.sqrt(Math.sqrt(this.#scale)));
  }

  #ring(ratio) {
    const unit = this.#unit;
    const x = this.canvas.clientWidth / 2 + (this.#map.places[2 * this.#marked] - this.#x) * unit;
    const y = this.canvas.clientHeight / 2 - (this.#map.places[2 * this.#marked + 1] - this.#y) * unit;
    const { context } = this;
    context.lineWidth = 2.5 * ratio;
    context.strokeStyle = getComputedStyle(this.canvas).color;
    context.beginPath();
    context.arc(x * ratio, y * ratio, (this.#radius() + 5) * ratio, 0, 7);
    context.stroke();
  }

  #under(x, y) {
    if (!this.#map) return -1;
    const hidden = this.#hidden;
    const [px, py] = this.#point(x, y);
    return this.#cells.nearest(px, py, NEAR / this.#unit, hidden ? (i) => !hidden[i] : undefined);
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * 0.0016), event.offsetX, event.offsetY);
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.#moved = this.#pointers.size > 1;
  }

  #moves(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      const place = this.#under(event.offsetX, event.offsetY);
      this.hover(place, event.offsetX, event.offsetY);
      if (place !== this.#marked) this.mark(place);
      return;
    }
    const [dx, dy] = [event.offsetX - before[0], event.offsetY - before[1]];
    if (Math.hypot(dx, dy) < 3 && !this.#moved) return;
    this.#moved = true;
    this.hover(-1, 0, 0);
    if (this.#pointers.size === 2) this.#pinch(event);
    else {
      this.#x -= dx / this.#unit;
      this.#y += dy / this.#unit;
      this.#clamp();
    }
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.draw();
  }

  #pinch(event) {
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const before = this.#pointers.get(event.pointerId);
    const now = Math.hypot(event.offsetX - other[0], event.offsetY - other[1]);
    const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
    if (was > 0) this.zoom(now / was, (event.offsetX + other[0]) / 2, (event.offsetY + other[1]) / 2);
  }

  #up(event) {
    const pressed = this.#pointers.delete(event.pointerId);
    if (!pressed || this.#moved) return;
    const place = this.#under(event.offsetX, event.offsetY);
    this.mark(place);
    // A finger has no pointer that hovers: the first touch shows, the details are opened from what is shown.
    if (event.pointerType === "touch") this.hover(place, event.offsetX, event.offsetY);
    else if (place >= 0) this.pick(place);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60 / this.#unit;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) {
      this.#x += moves[event.key][0];
      this.#y += moves[event.key][1];
      this.#clamp();
      this.#middle();
    } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else if (event.key === "Enter" && this.#marked >= 0) this.pick(this.#marked);
    else return;
    event.preventDefault();
  }

  /** With the keys it is the point nearest to the middle that is shown. */
  #middle() {
    const [x, y] = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    const hidden = this.#hidden;
    const place = this.#cells.nearest(this.#x, this.#y, 160 / this.#unit, hidden ? (i) => !hidden[i] : undefined);
    this.hover(place, x, y);
    this.mark(place);
  }
}
