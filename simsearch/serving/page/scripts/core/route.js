// What is shown stands in the address behind the #, so that a view is a link.

export const TABS = ["search", "map", "recognize", "duplicates", "jobs"];

/** The tab and the parameters of the address. */
export function read() {
  const [tab, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { tab: TABS.includes(tab) ? tab : "search", query: new URLSearchParams(query) };
}

/** The address of a view; parameters are a mapping, lists repeat their name. */
export function address(tab, parameters = {}) {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") pairs.append(name, one);
    }
  }
  const written = pairs.toString();
  return `#/${tab}${written ? `?${written}` : ""}`;
}

/** Goes to a view; with `replace` without a step in the history. */
export function go(tab, parameters = {}, replace = false) {
  const wanted = address(tab, parameters);
  if (wanted === location.hash) return;
  if (replace) {
    history.replaceState(null, "", wanted);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = wanted;
  }
}

export function whole(tab, parameters) {
  return location.origin + location.pathname + address(tab, parameters);
}
