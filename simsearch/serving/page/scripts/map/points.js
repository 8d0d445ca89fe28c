// The points of a map, and which of them is near a place.

const SIDE = 256;

/** A map from its compact form; `labels` are the names. Throws for what is none. */
export function unpack(buffer) {
  const view = new DataView(buffer);
  const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 4));
  if (magic !== "SSM1") throw new Error(`this is no map: it begins with ${magic}`);
  const count = view.getUint32(4, true);
  let at = 8;
  const take = (Kind, length) => {
    const part = new Kind(buffer.slice(at, at + length * Kind.BYTES_PER_ELEMENT));
    at += length * Kind.BYTES_PER_ELEMENT;
    return part;
  };
  const ids = take(Float64Array, count);
  const places = take(Float32Array, 2 * count);
  const outlier = take(Float32Array, count);
  const label = take(Int32Array, count);
  const labels = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, at)));
  return { count, ids, places, outlier, label, labels };
}

/** Points in a grid of cells, so that the nearest is found without looking at all. */
export class Cells {
  constructor({ count, places }) {
    this.places = places;
    this.start = new Uint32Array(SIDE * SIDE + 1);
    this.order = new Uint32Array(count);
    const cells = new Uint32Array(count);
    for (let i = 0; i < count; i += 1) {
      cells[i] = cellOf(places[2 * i]) + SIDE * cellOf(places[2 * i + 1]);
      this.start[cells[i] + 1] += 1;
    }
    for (let c = 0; c < SIDE * SIDE; c += 1) this.start[c + 1] += this.start[c];
    const next = this.start.slice();
    for (let i = 0; i < count; i += 1) {
      this.order[next[cells[i]]] = i;
      next[cells[i]] += 1;
    }
  }

  /** The nearest point within a radius of which `fits` is true, or -1. */
  nearest(x, y, radius, fits = () => true) {
    let found = -1;
    let least = radius * radius;
    const [left, right, low, high] = [cellOf(x - radius), cellOf(x + radius), cellOf(y - radius), cellOf(y + radius)];
    for (let row = low; row <= high; row += 1) {
      const end = this.start[row * SIDE + right + 1];
      for (let place = this.start[row * SIDE + left]; place < end; place += 1) {
        const i = this.order[place];
        const dx = this.places[2 * i] - x;
        const dy = this.places[2 * i + 1] - y;
        const distance = dx * dx + dy * dy;
        if (distance < least && fits(i)) {
          least = distance;
          found = i;
        }
      }
    }
    return found;
  }

  /** How many points lie in the cell of each point and those beside it, from 0 to 1 by rank of the logarithm. */
  density(count) {
    const found = new Float32Array(count);
    let most = 1;
    for (let row = 0; row < SIDE; row += 1) {
      for (let column = 0; column < SIDE; column += 1) {
        const cell = row * SIDE + column;
        if (this.start[cell] === this.start[cell + 1]) continue;
        let around = 0;
        for (let r = Math.max(0, row - 2); r <= Math.min(SIDE - 1, row + 2); r += 1) {
          around += this.start[r * SIDE + Math.min(SIDE - 1, column + 2) + 1] - this.start[r * SIDE + Math.max(0, column - 2)];
        }
        most = Math.max(most, around);
        for (let place = this.start[cell]; place < this.start[cell + 1]; place += 1) found[this.order[place]] = around;
      }
    }
    const scale = Math.log(most) || 1;
    return found.map((around) => Math.log(around) / scale);
  }
}

function cellOf(value) {
  return Math.max(0, Math.min(SIDE - 1, Math.floor(((value + 1) / 2) * SIDE)));
}

/** The places of the largest values, largest first. */
export function largest(values, how) {
  const order = Array.from(values.keys());
  return order.sort((a, b) => values[b] - values[a]).slice(0, how);
}
