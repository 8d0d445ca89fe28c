// Where a copy lies on the picture that it is a copy of: 3x3 matrices as lists of rows.

export const IDENTITY = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];

/** A matrix of 2 or 3 rows with 3 rows. */
export const whole = (rows) => [...rows, [0, 0, 1]].slice(0, 3);

export function times(a, b) {
  return a.map((row) => [0, 1, 2].map((column) => row[0] * b[0][column] + row[1] * b[1][column] + row[2] * b[2][column]));
}

/** The inverse, or null where there is none. */
export function inverse(m) {
  const [[a, b, c], [d, e, f], [g, k, i]] = m;
  const [A, B, C] = [e * i - f * k, f * g - d * i, d * k - e * g];
  const determinant = a * A + b * B + c * C;
  if (!Number.isFinite(determinant) || Math.abs(determinant) < 1e-12) return null;
  const adjugate = [
    [A, c * k - b * i, b * f - c * e],
    [B, a * i - c * g, c * d - a * f],
    [C, b * g - a * k, a * e - b * d],
  ];
  return adjugate.map((row) => row.map((value) => value / determinant));
}

/** From pixels with their centers at whole numbers to places with the edges there. */
const HALF = [[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]];
const BACK = [[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]];

/** The matrix from places on the copy to places on the shown one; `toShown` and `toCopy` lead there from one original. */
export function onto(toShown, toCopy) {
  const back = inverse(toCopy);
  return back && times(HALF, times(times(toShown, back), BACK));
}

/** Where the corners of a picture of this size go. */
export function corners(matrix, width, height) {
  return [[0, 0], [width, 0], [width, height], [0, height]].map(([x, y]) => {
    const w = matrix[2][0] * x + matrix[2][1] * y + matrix[2][2];
    return [(matrix[0][0] * x + matrix[0][1] * y + matrix[0][2]) / w, (matrix[1][0] * x + matrix[1][1] * y + matrix[1][2]) / w];
  });
}

/** The matrix as CSS writes it. */
export function css([[a, b, c], [d, e, f], [g, k, i]]) {
  return `matrix3d(${[a, d, 0, g, b, e, 0, k, 0, 0, 1, 0, c, f, 0, i].join(",")})`;
}
