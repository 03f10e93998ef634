// Values as colors: unsigned ones from dark to bright from zero on, signed ones from blue over white to red around zero.

/** @typedef {{low: number, high: number}} Range */

const BRIGHTENING = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const DIVERGING = [[5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [247, 247, 247], [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31]];

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

/** @param {Range} one @param {Range} other @returns {Range} */
export function widest(one, other) {
  const low = Math.min(one.low, other.low);
  const high = Math.max(one.high, other.high);
  return low < 0 ? { low: -Math.max(-low, high), high: Math.max(-low, high) } : { low, high };
}

/** Writes the color of a value as four bytes. @param {Uint8ClampedArray} bytes @param {number} at @param {number} value @param {Range} range */
export function paint(bytes, at, value, range) {
  const table = range.low < 0 ? divergingTable : brighteningTable;
  const share = range.high > range.low ? (value - range.low) / (range.high - range.low) : range.low < 0 ? 0.5 : 0;
  const index = 3 * Math.round(255 * Math.min(Math.max(share, 0), 1));
  bytes[at] = table[index];
  bytes[at + 1] = table[index + 1];
  bytes[at + 2] = table[index + 2];
  bytes[at + 3] = Number.isNaN(value) ? 0 : 255;
}

/** A color of CSS for a value, and one for text on it. @param {number} value @param {Range} range */
export function cssColor(value, range) {
  const bytes = new Uint8ClampedArray(4);
  paint(bytes, 0, value, range);
  const bright = 0.299 * bytes[0] + 0.587 * bytes[1] + 0.114 * bytes[2] > 140;
  return { background: `rgb(${bytes[0]} ${bytes[1]} ${bytes[2]})`, color: bright ? "#111" : "#fff" };
}
