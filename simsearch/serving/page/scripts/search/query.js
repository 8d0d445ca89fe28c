// A query: what stands in the address, in the body of a request, and on the command line.

import { baseName } from "../core/format.js";
import { conditionOf } from "./condition.js";

const LISTS = ["like", "unlike"];
const FILTERS = ["label", "folder", "from", "to", "key", "operator", "value", "where"];

/** The query of an address. */
export function queryOf(parameters) {
  const text = (name) => parameters.get(name) ?? "";
  const numbers = (name) => parameters.getAll(name).map(Number).filter((id) => Number.isSafeInteger(id) && id > 0);
  return {
    words: text("q"),
    item: Number(text("item")) || null,
    vector: text("vector"),
    name: text("name"),
    like: numbers("like"),
    unlike: numbers("unlike"),
    filters: Object.fromEntries(FILTERS.map((name) => [name, name === "label" ? parameters.getAll(name) : text(name)])),
  };
}

/** The parameters of the address of a query. */
export function parametersOf(asked) {
  const query = led(asked);
  const { words, item, vector, name, filters } = query;
  const lists = Object.fromEntries(LISTS.map((list) => [list, query[list]]));
  return { q: words, item, vector, name: vector ? name : null, ...lists, ...filters };
}

/** A query of examples alone is led by the first of them. */
function led(query) {
  if (query.words || query.item || query.vector) return query;
  const [item = null, ...like] = query.like;
  return item === null ? { ...query, unlike: [] } : { ...query, item, like };
}

export const asksForNothing = (query) => !query.words && !query.item && !query.vector;

/** The body of a search. */
export function bodyOf(query, k, cursor) {
  const body = { k };
  if (query.words) body.text = query.words;
  else if (query.item) body.item = query.item;
  else if (query.vector) body.vector = unpacked(query.vector);
  if (query.like.length) body.like = query.like;
  if (query.unlike.length) body.unlike = query.unlike;
  const where = conditionOf(query.filters);
  if (where) body.where = where;
  if (cursor) body.cursor = cursor;
  return body;
}

/** A vector as short text for an address: whole numbers of 16 bits, of which the largest is 32767. */
export function packed(vector) {
  const largest = Math.max(...vector.map(Math.abs)) || 1;
  const whole = Int16Array.from(vector, (value) => Math.round((value / largest) * 32767));
  const bytes = new Uint8Array(whole.buffer);
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function unpacked(text) {
  const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  return Array.from(new Int16Array(bytes.buffer, 0, Math.floor(bytes.length / 2)), (value) => value / 32767);
}

/** A word as the shell takes it. */
export function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** The command that does the same; `items` knows the paths of stored items. */
export function commandOf(query, collection, items, k) {
  const path = (id) => items.get(id)?.path ?? `item ${id}`;
  const parts = ["simsearch", "query", "--index", quoted(collection), "-k", String(k)];
  const where = conditionOf(query.filters);
  if (where) parts.push("--where", quoted(where));
  for (const id of query.like) parts.push("--like", quoted(path(id)));
  for (const id of query.unlike) parts.push("--unlike", quoted(path(id)));
  const asked = query.words || (query.item ? path(query.item) : query.name || "photo.jpg");
  // Words that are also the name of a file are words here; what begins with a hyphen is no option.
  if (query.words && !query.like.length && !query.unlike.length) parts.push("--text");
  if (asked.startsWith("-")) parts.push("--");
  parts.push(quoted(asked));
  return parts.join(" ");
}

/** Matches as a table for other programs. */
export function csvOf(matches) {
  const keys = [...new Set(matches.flatMap((match) => Object.keys(match.metadata)))].sort();
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    // A cell that begins like a formula would be run by a spreadsheet.
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = matches.map((match) => [
    match.rank, match.score, match.path, match.label, match.text, ...keys.map((key) => match.metadata[key]),
  ]);
  const head = ["rank", "score", "path", "label", "text", ...keys];
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

export const nameOf = (item) => baseName(item.path);
