// Filters that are chosen, as a condition of the language of --where.

const OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "like"];

export const operators = OPERATORS;

const text = (value) => `'${value.replaceAll("'", "''")}'`;
const name = (key) => (/^[A-Za-z_]\w*$/.test(key) ? key : `"${key.replaceAll('"', '""')}"`);
const ESCAPE = "\\";
const literal = (value) => value.replace(/[\\%_]/g, (letter) => ESCAPE + letter);

function value(written) {
  if (/^-?\d+(\.\d+)?$/.test(written) || written === "true" || written === "false") return written;
  return text(written);
}

function within(folder) {
  const mark = folder.includes("/") || !folder.includes("\\") ? "/" : "\\";
  const inside = literal(folder.endsWith(mark) ? folder : folder + mark);
  const escape = inside.includes(ESCAPE) ? ` escape '${ESCAPE}'` : "";
  return `path like ${text(`${inside}%`)}${escape}`;
}

/** The condition of the chosen filters, or an empty text. */
export function conditionOf(filters) {
  const parts = [];
  const labels = filters.label ?? [];
  if (labels.length === 1) parts.push(`label = ${text(labels[0])}`);
  else if (labels.length) parts.push(`label in (${labels.map(text).join(", ")})`);
  if (filters.folder) parts.push(within(filters.folder));
  if (filters.from) parts.push(`date >= ${text(filters.from)}`);
  if (filters.to) parts.push(`date < ${text(dayAfter(filters.to))}`);
  if (filters.key && filters.value) {
    const operator = OPERATORS.includes(filters.operator) ? filters.operator : "=";
    parts.push(`${name(filters.key)} ${operator} ${operator === "like" ? text(filters.value) : value(filters.value)}`);
  }
  if (filters.where) parts.push(parts.length ? `(${filters.where})` : filters.where);
  return parts.join(" and ");
}

function dayAfter(day) {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + 1);
  return Number.isNaN(date.getTime()) ? day : date.toISOString().slice(0, 10);
}

/** How many filters are set. */
export function chosen(filters) {
  const { label = [], folder, from, to, key, value: given, where } = filters;
  return label.length + [folder, from || to, key && given, where].filter(Boolean).length;
}
