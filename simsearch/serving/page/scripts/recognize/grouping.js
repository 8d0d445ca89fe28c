// Groups of vectors that are alike.

/** The cosine of two vectors of length one. */
export function cosine(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i];
  return sum;
}

/**
 * Groups of places: the two groups with the largest mean cosine between their members are joined, again and again,
 * until it falls below `least` (average linkage). Largest groups first.
 */
export function grouped(vectors, least) {
  const groups = vectors.map((_, i) => [i]);
  const scores = vectors.map((a) => vectors.map((b) => cosine(a, b)));
  for (;;) {
    let best = least;
    let pair = null;
    for (let i = 0; i < groups.length; i += 1) {
      for (let j = i + 1; j < groups.length; j += 1) {
        if (scores[i][j] >= best) {
          best = scores[i][j];
          pair = [i, j];
        }
      }
    }
    if (!pair) return groups.sort((a, b) => b.length - a.length);
    join(groups, scores, ...pair);
  }
}

function join(groups, scores, i, j) {
  const [m, n] = [groups[i].length, groups[j].length];
  for (let k = 0; k < groups.length; k += 1) {
    const mean = (m * scores[i][k] + n * scores[j][k]) / (m + n);
    scores[i][k] = mean;
    scores[k][i] = mean;
  }
  groups[i] = [...groups[i], ...groups[j]];
  groups.splice(j, 1);
  scores.splice(j, 1);
  for (const row of scores) row.splice(j, 1);
}
