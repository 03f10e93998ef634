// Values as colors: unsigned ones from dark to bright from zero on, signed ones from blue over white to red around zero.

/** @typedef {{low: number, high: number}} Range values beyond it have colors of their own */

const BRIGHTENING = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const DIVERGING = [[5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [247, 247, 247], [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31]];

const [ABOVE, BELOW] = [[255, 45, 200], [0, 229, 255]]; // colors of values beyond the scale
const TINY = 1e-6; // of the range: what rounding may add
const [SHARE, BINS] = [0.01, 1024]; // of the values that are beyond a clipped scale, and places at which one may end

/** 256 colors of a map, as red, green, blue. @param {number[][]} anchors */
function tableOf(anchors) {
  return Uint8Array.from({ length: 768 }, (_, i) => {
    const place = (Math.floor(i / 3) / 255) * (anchors.length - 1);
    const start = Math.min(Math.floor(place), anchors.length - 2);
    return anchors[start][i % 3] + (place - start) * (anchors[start + 1][i % 3] - anchors[start][i % 3]);
  });
}
const brighteningTable = tableOf(BRIGHTENING);
const divergingTable = tableOf(DIVERGING);

/** The range of a color scale for values: from 0 if none is negative, else the same on both sides of 0. @param {ArrayLike<number>} values @param {number} [start] @param {number} [step] @returns {Range} */
export function rangeOf(values, start = 0, step = 1) {
  let [low, high] = [0, 0];
  for (let i = start; i < values.length; i += step) {
    if (values[i] < low) low = values[i];
    else if (values[i] > high) high = values[i];
  }
  const size = Math.max(-low, high);
  return low < 0 ? { low: -size, high: size } : { low: 0, high };
}

/**
 * The range without the largest sizes, at most a hundredth of all: its end is one of BINS places. The range itself if
 * nearly all values are zero.
 * @param {Range} range @param {ArrayLike<number>[]} arrays @param {number} [start] @param {number} [step] @returns {Range}
 */
export function clipped(range, arrays, start = 0, step = 1) {
  const [counts, top] = [new Uint32Array(BINS), Math.max(-range.low, range.high)];
  let count = 0;
  for (const values of arrays)
    for (let i = start; i < values.length; i += step, count++) counts[Math.min(BINS - 1, Math.floor((Math.abs(values[i]) / top) * BINS)) || 0]++;
  let bin = BINS;
  for (let beyond = 0; bin > 1 && beyond + counts[bin - 1] <= SHARE * count; bin--) beyond += counts[bin - 1];
  return bin > 1 && top > 0 ? { low: (range.low * bin) / BINS, high: (range.high * bin) / BINS } : range;
}

/** @param {Range} one @param {Range} other @returns {Range} */
export function widest(one, other) {
  const low = Math.min(one.low, other.low);
  const high = Math.max(one.high, other.high);
  return low < 0 ? { low: -Math.max(-low, high), high: Math.max(-low, high) } : { low, high };
}

/** Writes the color of a value as four bytes. @param {Uint8ClampedArray} bytes @param {number} at @param {number} value @param {Range} range */
export function paint(bytes, at, value, range) {
  const beyond = value > range.high + TINY * range.high ? ABOVE : value < range.low + TINY * range.low ? BELOW : null;
  if (beyond) return bytes.set([...beyond, 255], at);
  const table = range.low < 0 ? divergingTable : brighteningTable;
  const share = range.high > range.low ? (value - range.low) / (range.high - range.low) : range.low < 0 ? 0.5 : 0;
  const index = 3 * Math.round(255 * Math.min(Math.max(share, 0), 1));
  bytes[at] = table[index];
  bytes[at + 1] = table[index + 1];
  bytes[at + 2] = table[index + 2];
  bytes[at + 3] = Number.isNaN(value) ? 0 : 255;
}

/** How many values are above the range and below it. @param {Range} range @param {ArrayLike<number>} values @param {number} [start] @param {number} [step] */
export function beyondOf(range, values, start = 0, step = 1) {
  const found = { above: 0, below: 0 };
  for (let i = start; i < values.length; i += step) {
    if (values[i] > range.high + TINY * range.high) found.above++;
    else if (values[i] < range.low + TINY * range.low) found.below++;
  }
  return found;
}

/** A color of CSS for a value, and one for text on it. @param {number} value @param {Range} range */
export function cssColor(value, range) {
  const bytes = new Uint8ClampedArray(4);
  paint(bytes, 0, value, range);
  const bright = 0.299 * bytes[0] + 0.587 * bytes[1] + 0.114 * bytes[2] > 140;
  return { background: `rgb(${bytes[0]} ${bytes[1]} ${bytes[2]})`, color: bright ? "#111" : "#fff" };
}

/** The color of values above a scale (1) or below it (-1). @param {number} side */
export function swatch(side) {
  return `rgb(${(side > 0 ? ABOVE : BELOW).join(" ")})`;
}
