// Elements are made here and nowhere from markup: names of files and labels are only ever text.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties and children. `on…` are listeners, `class` and others attributes; null is left out. */
export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  set(made, properties);
  add(made, children);
  return made;
}

/** The same in SVG. */
export function svg(tag, properties = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  set(made, properties);
  add(made, children);
  return made;
}

function set(made, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "srcObject") made[name] = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
}

function add(made, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) made.append(child);
  }
}

/** Replaces what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

const PATHS = {
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20 20",
  map: "M5 17.5h.01M8 9h.01M12 14h.01M17 6h.01M18.5 15h.01M9.5 18.5h.01M13.5 8.5h.01M3 3v18h18",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.5 20.5c1-4 4-5.5 7.5-5.5s6.500 1.500 7.500 5.500",
  copies: "M8 8h12v12H8zM16 8V4H4v12h4",
  progress: "M12 3a9 9 0 1 0 9 9M12 7v5l3.500 2",
  picture: "M3.500 5h17v14h-17zM3.500 16l5-5 4.500 4.500 2.500-2.500 5 5M15.500 9.500h.01",
  camera: "M4 8h3.500L9 5.500h6L16.500 8H20v11.500H4zM12 10.500a3.200 3.200 0 1 0 0 6.400 3.200 3.200 0 0 0 0-6.400z",
  close: "M6 6l12 12M18 6 6 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  filter: "M4 6h16M7 12h10M10 18h4",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.700-5.700l-1 1M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.700 5.700l1-1",
  terminal: "M4 5h16v14H4zM7.500 9.500l3 2.500-3 2.500M12.500 15h4",
  download: "M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 20h14",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  folder: "M3.500 6h6l2 2.500h9V19h-17z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
  left: "M14.500 5.500 8 12l6.500 6.500",
  right: "M9.500 5.500 16 12l-6.500 6.500",
  undo: "M8 5 4 9l4 4M4 9h10a5.500 5.500 0 0 1 0 11h-3",
  open: "M13 4h7v7M20 4l-9 9M18 14v6H4V6h6",
  check: "M4.500 12.500l5 5 10-11",
  trash: "M5 7h14M10 4h4M7 7l1 13h8l1-13",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  merge: "M6 4v4c0 4 6 4 6 8v4M18 4v4c0 4-6 4-6 8M9 17l3 3 3-3",
  warning: "M12 4 2.500 20h19zM12 10v5M12 17.500v.1",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  brand: "M9.500 4.500a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM14.500 7.500a6 6 0 1 0 0 12 6 6 0 0 0 0-12z",
};

/** A drawn sign that only decorates. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
}

/** A button with a sign and words; `square` shows the sign alone and keeps the words as its name. */
export function button(words, { sign, onclick, kind = "", square = false, ...more } = {}) {
  const made = h(
    "button",
    { type: "button", class: `button ${kind} ${square ? "square" : ""}`.trim(), onclick, ...more },
    sign && icon(sign),
    square ? null : words,
  );
  if (square) {
    made.setAttribute("aria-label", words);
    made.title = words;
  }
  return made;
}

let numbers = 0;

/** A control with its words above it. */
export function labelled(words, control) {
  if (!control.id) control.id = `control-${(numbers += 1)}`;
  return h("div", { class: "labelled" }, h("label", { for: control.id }, words), control);
}

/** A menu to choose from: options are [value, words]. */
export function select(options, chosen, properties = {}) {
  const made = h("select", { class: "field", ...properties });
  for (const [value, words] of options) {
    made.append(h("option", { value, selected: value === chosen }, words));
  }
  return made;
}

/** A picture; where it cannot be shown a sign stands there, of the same size. */
export function picture(address, words, properties = {}) {
  const instead = () => h("span", { ...properties, class: `${properties.class ?? ""} no-picture`.trim() }, icon("picture"));
  if (!address) return instead();
  const made = h("img", { alt: words, decoding: "async", draggable: "false", ...properties });
  made.addEventListener("error", () => made.replaceWith(instead()), { once: true });
  made.src = address;
  return made;
}

/** Calls at most once in so many milliseconds, the last time always. */
export function delayed(milliseconds, call) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), milliseconds);
  };
}

/** Whether movement is wanted. */
export function moves() {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches;
}
