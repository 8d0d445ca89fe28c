// What a map needs to know of its points and dots before it is drawn.

/** A packed color as CSS writes it. */
export const written = (color) => `rgb(${color & 255} ${(color >> 8) & 255} ${(color >> 16) & 255})`;

/** The middle and the extent of points; of a single place the extent is not zero. */
export function boundsOf({ count, places }) {
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  for (let i = 0; i < 2 * count; i += 1) {
    low[i % 2] = Math.min(low[i % 2], places[i]);
    high[i % 2] = Math.max(high[i % 2], places[i]);
  }
  const extent = (axis) => Math.max(high[axis] - low[axis], 1e-3);
  return { x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, across: extent(0), down: extent(1) };
}

/** The pixels of a disc as offsets in a picture so wide. */
export function discOf(radius, width) {
  const reach = Math.ceil(radius);
  const offsets = [];
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) {
      if (x * x + y * y <= radius * radius + 0.3) offsets.push(y * width + x);
    }
  }
  return { reach, offsets: Int32Array.from(offsets) };
}
