// Numbers, sizes, dates and names as people read them.

const WHOLE = new Intl.NumberFormat("en");
const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export const count = (value) => WHOLE.format(value);
export const score = (value) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(3);
export const date = (seconds) => DATE.format(new Date(seconds * 1000));

/** A share, with as many digits as it needs: 12 %, 1.5 %, 0.02 %. */
export function percent(share) {
  const value = share * 100;
  if (value === 0) return "0 %";
  const digits = value >= 10 ? 0 : value >= 1 ? 1 : Math.min(6, 1 - Math.floor(Math.log10(value)));
  return `${Number(value.toFixed(digits))} %`;
}

export function bytes(size) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let place = 0;
  let value = size;
  while (value >= 1000 && place < units.length - 1) {
    value /= 1000;
    place += 1;
  }
  return `${place === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[place]}`;
}

export function duration(seconds) {
  if (seconds < 1) return "< 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

const separator = (path) => (path.includes("/") || !path.includes("\\") ? "/" : "\\");

/** The name of a file without its folders. */
export function baseName(path) {
  return path.slice(path.lastIndexOf(separator(path)) + 1) || path;
}

export function folderOf(path) {
  const place = path.lastIndexOf(separator(path));
  return place > 0 ? path.slice(0, place) : path.slice(0, place + 1);
}

/** The end of a folder's path, for a menu. */
export function shortFolder(path, parts = 2) {
  const mark = separator(path);
  const names = path.split(mark).filter(Boolean);
  return names.length > parts ? `…${mark}${names.slice(-parts).join(mark)}` : path;
}
