// A grid of as many cells as there are, of which only those near the window exist.

import { h } from "../core/dom.js";

const AHEAD = 1;

export class VirtualGrid {
  #draw;
  #need;
  #cells = new Map();
  #shape;
  #waiting = false;
  #columns = 1;
  #rowHeight = 1;
  #focus = 0;
  #count = 0;

  /**
   * `draw(place)` gives the cell of a place, `need(place)` is called with the last place that is seen;
   * `shape(width)` gives the columns, the gap and the height of a row for a width of the grid.
   */
  constructor({ name, draw, need, shape }) {
    this.#draw = draw;
    this.#need = need;
    this.#shape = shape;
    this.element = h("ul", { class: "grid", "aria-label": name });
    this.element.addEventListener("keydown", (event) => this.#move(event));
    this.element.addEventListener("focusin", (event) => this.#focused(event));
    new ResizeObserver(() => this.#later()).observe(this.element);
    window.addEventListener("scroll", () => this.#later(), { passive: true });
  }

  /** How many cells there are; cells of before are drawn anew with `anew`. */
  resize(count, anew = false) {
    this.#count = count;
    if (anew) {
      this.#cells.forEach((cell) => cell.remove());
      this.#cells.clear();
      this.#focus = 0;
    }
    this.#layOut();
  }

  /** How many cells exist now. */
  get drawn() {
    return this.#cells.size;
  }

  /** The place of an element within a cell, or -1. */
  placeOf(element) {
    const cell = element.closest?.("[data-place]");
    return cell ? Number(cell.dataset.place) : -1;
  }

  #later() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#layOut();
    });
  }

  #layOut() {
    const width = this.element.clientWidth;
    if (!width) return;
    const { columns, gap, height } = this.#shape(width);
    const across = (width - gap * (columns - 1)) / columns;
    this.#columns = columns;
    this.#rowHeight = height(across) + gap;
    const rows = Math.ceil(this.#count / columns);
    this.element.style.height = `${Math.max(0, rows * this.#rowHeight - gap)}px`;
    const top = -this.element.getBoundingClientRect().top;
    const seen = window.innerHeight;
    const first = Math.max(0, Math.floor((top - AHEAD * seen) / this.#rowHeight)) * columns;
    const last = Math.min(this.#count, Math.ceil((top + (1 + AHEAD) * seen) / this.#rowHeight) * columns);
    this.#drop(first, last);
    for (let place = first; place < last; place += 1) this.#put(place, across, gap, height(across));
    if (last >= this.#count) this.#need(last);
  }

  #drop(first, last) {
    for (const [place, cell] of this.#cells) {
      // The cell that has the focus stays, however far it is.
      if ((place < first || place >= last) && !cell.contains(document.activeElement)) {
        cell.remove();
        this.#cells.delete(place);
      }
    }
  }

  #put(place, across, gap, height) {
    let cell = this.#cells.get(place);
    if (!cell) {
      cell = h("li", { class: "place", "data-place": place }, this.#draw(place));
      this.#cells.set(place, cell);
      const before = this.#cells.get(place - 1);
      if (before) before.after(cell);
      else this.element.prepend(cell);
    }
    cell.setAttribute("aria-setsize", this.#count);
    cell.setAttribute("aria-posinset", place + 1);
    cell.style.width = `${across}px`;
    cell.style.height = `${height}px`;
    const x = (place % this.#columns) * (across + gap);
    const y = Math.floor(place / this.#columns) * this.#rowHeight;
    cell.style.transform = `translate(${x}px, ${y}px)`;
    for (const control of cell.querySelectorAll("[data-main]")) control.tabIndex = place === this.#focus ? 0 : -1;
  }

  #focused(event) {
    const place = this.placeOf(event.target);
    if (place < 0 || place === this.#focus) return;
    const before = this.#cells.get(this.#focus)?.querySelector("[data-main]");
    if (before) before.tabIndex = -1;
    this.#focus = place;
    const now = this.#cells.get(place)?.querySelector("[data-main]");
    if (now) now.tabIndex = 0;
  }

  #move(event) {
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#columns, ArrowUp: -this.#columns,
      Home: -this.#focus, End: this.#count - 1 - this.#focus,
    };
    const step = steps[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.focus(Math.max(0, Math.min(this.#count - 1, this.#focus + step)));
  }

  /** Brings a cell into view and gives it the focus. */
  focus(place) {
    const top = this.element.getBoundingClientRect().top + Math.floor(place / this.#columns) * this.#rowHeight;
    const room = 140;
    if (top < room) window.scrollBy(0, top - room);
    else if (top + this.#rowHeight > window.innerHeight - room) {
      window.scrollBy(0, top + this.#rowHeight - window.innerHeight + room);
    }
    this.#layOut();
    this.#cells.get(place)?.querySelector("[data-main]")?.focus({ preventScroll: true });
  }
}
