// The API of the server that this page came from.

const BASE = "/api/v1/";
const CSRF = "X-Simsearch-CSRF";

/** What the server refused, in its own words. */
export class Refused extends Error {
  constructor(status, code, message, field) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field ?? null;
  }
}

export class Api {
  #words;
  #csrf = null;
  readOnly = false;

  constructor(words) {
    this.#words = words;
  }

  /** Reads the session that the page was given. */
  async start() {
    const session = await this.get("session");
    this.#csrf = session.csrf;
    this.readOnly = session.read_only;
    return session;
  }

  get(path, query = {}, signal = undefined) {
    return this.#json("GET", path, query, undefined, {}, signal);
  }

  /** Sends JSON. */
  post(path, query, body, signal = undefined) {
    return this.#json("POST", path, query, JSON.stringify(body ?? {}), { "Content-Type": "application/json" }, signal);
  }

  /** Sends one file as the body. */
  send(path, query, file, signal = undefined) {
    const kind = file.type.startsWith("image/") ? file.type : "application/octet-stream";
    return this.#json("POST", path, query, file, { "Content-Type": kind }, signal);
  }

  /** Sends files and fields as a form. */
  form(path, query, files, fields = {}) {
    const form = new FormData();
    for (const file of files) form.append("files", file, file.name || "picture");
    for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
    return this.#json("POST", path, query, form, {});
  }

  delete(path, query) {
    return this.#json("DELETE", path, query, undefined, {});
  }

  /** An answer that is no JSON, with its status; JSON comes as an object. */
  async bytes(path, query, signal) {
    const response = await this.#fetch("GET", path, query, undefined, {}, signal);
    const kind = response.headers.get("content-type") ?? "";
    return { status: response.status, content: kind.includes("json") ? await response.json() : await response.arrayBuffer() };
  }

  async #json(method, path, query, body, headers, signal) {
    return (await this.#fetch(method, path, query, body, headers, signal)).json();
  }

  async #fetch(method, path, query, body, headers, signal, again = true) {
    const address = BASE + path + asQuery(query);
    const sent = method === "GET" || !this.#csrf ? headers : { ...headers, [CSRF]: this.#csrf };
    let response;
    try {
      response = await fetch(address, { method, body, headers: sent, signal, credentials: "same-origin" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, "unreachable", this.#words.unreachable);
    }
    if (response.ok) return response;
    const refused = await refusal(response, this.#words);
    // A server that was started anew knows no session of before: the page asks for one, once.
    if (again && (refused.code === "token" || refused.code === "csrf") && (await this.#renewed())) {
      return this.#fetch(method, path, query, body, headers, signal, false);
    }
    throw refused;
  }

  async #renewed() {
    const before = this.#csrf;
    try {
      await fetch("/", { credentials: "same-origin" });
      const response = await fetch(`${BASE}session`, { credentials: "same-origin" });
      if (response.ok) this.#csrf = (await response.json()).csrf;
    } catch {
      return false;
    }
    return this.#csrf !== null && this.#csrf !== before;
  }
}

async function refusal(response, words) {
  try {
    const { error } = await response.json();
    return new Refused(response.status, error.code, error.message, error.field);
  } catch {
    return new Refused(response.status, "failed", words.failed(response.status));
  }
}

function asQuery(query) {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined && value !== "") pairs.append(name, value);
  }
  const written = pairs.toString();
  return written ? `?${written}` : "";
}

/** An address of a thumbnail, so many pixels of the screen wide. */
export function thumbnail(item, across) {
  if (!item?.thumbnail) return null;
  return `${item.thumbnail}&size=${pixels(across)}`;
}

export function pixels(across) {
  return Math.min(1024, Math.ceil(across * Math.min(2, window.devicePixelRatio || 1)));
}

/** An address of an example's picture. */
export function exampleThumbnail(collection, label, id, across) {
  const query = new URLSearchParams({ collection, size: pixels(across) });
  return `${BASE}identities/${encodeURIComponent(label)}/examples/${id}/thumbnail?${query}`;
}

export function fileAddress(item, collection) {
  return `${BASE}items/${item.id}/file?${new URLSearchParams({ collection })}`;
}
