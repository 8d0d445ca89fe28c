// Colors of labels and of amounts, for light and dark.

const LABELS = {
  light: ["#0b6b66", "#c2410c", "#4456b8", "#a16207", "#9d2b6b", "#3f7d20", "#0e7fb0", "#7a4bb3", "#b3261e", "#5b6470", "#6b5b2e", "#1d8f6d"],
  dark: ["#5fcabf", "#ff9a62", "#98a8ff", "#e3bd5a", "#f28ac0", "#93d46a", "#66c5f0", "#c7a3f7", "#ff8d85", "#b4bcc6", "#cbb784", "#66dcb2"],
};
const NONE = { light: "#9a9a94", dark: "#6c7278" };
const RAMP = {
  light: ["#c9d8d5", "#7fb5ae", "#2c8a82", "#0b4f57", "#5b1240"],
  dark: ["#2c4a48", "#2f7f78", "#5fcabf", "#f2d27a", "#ff8d6b"],
};

export const MOST = LABELS.light.length;

export const labelColor = (place, theme) => (place < 0 ? NONE[theme] : LABELS[theme][place % MOST]);

/** Red, green, blue of a color. */
export function parts(color) {
  const whole = Number.parseInt(color.slice(1), 16);
  return [whole >> 16, (whole >> 8) & 255, whole & 255];
}

/** The color of an amount from 0 to 1. */
export function ramp(share, theme) {
  const stops = RAMP[theme];
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(at));
  const [a, b] = [parts(stops[low]), parts(stops[low + 1])];
  return a.map((value, i) => Math.round(value + (b[i] - value) * (at - low)));
}

export const rampStops = (theme) => RAMP[theme];

/** A color as one number, in the order of bytes of pictures: alpha, blue, green, red. */
export const packedColor = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
