// Maps of a layer on one canvas, one pixel a value; the style sheet enlarges it with crisp pixels.

import { beyondOf, clipped, paint, rangeOf, swatch, widest } from "./colors.js";
import { element, numeral } from "./dom.js";
/** @typedef {import("./colors.js").Range} Range */
/** @typedef {{data: ArrayLike<number>, shape: number[]}} Block values with the channels last */
/** @typedef {{rows: number, columns: number, height: number, width: number, first: number, count: number, gap: number}} Grid */

/** Sides of a map, and how many maps there are: a vector is one cell for each value. @param {number[]} shape */
export function sidesOf(shape) {
  const channels = shape[shape.length - 1];
  if (shape.length === 1) return { height: 1, width: 1, channels };
  if (shape.length === 2) return { height: 1, width: shape[0], channels };
  return { height: shape.slice(0, -2).reduce((a, b) => a * b, 1), width: shape[shape.length - 2], channels };
}

/** How maps are laid out. @param {number[]} shape @param {number} columns @param {number} first @param {number} most @returns {Grid} */
export function gridOf(shape, columns, first = 0, most = Infinity) {
  const { height, width, channels } = sidesOf(shape);
  const count = Math.min(channels - first, most);
  return { rows: Math.ceil(count / columns), columns: Math.min(columns, count), height, width, first, count, gap: shape.length > 1 ? 1 : 0 };
}

/** Which value of which channel a pixel of the canvas is; null in a gap. @param {Grid} grid @param {number} x @param {number} y */
export function valueAt(grid, x, y) {
  const [column, row] = [Math.floor(x / (grid.width + grid.gap)), Math.floor(y / (grid.height + grid.gap))];
  const [i, j] = [y - row * (grid.height + grid.gap), x - column * (grid.width + grid.gap)];
  const channel = row * grid.columns + column;
  const inside = column >= 0 && column < grid.columns && channel >= 0 && channel < grid.count && i < grid.height && j < grid.width;
  return inside ? { channel: grid.first + channel, row: i, column: j } : null;
}

/** Draws maps; ranges has the range of each channel's scale. @param {HTMLCanvasElement} canvas @param {Block} block @param {Grid} grid @param {(channel: number) => Range} rangeFor */
export function drawMaps(canvas, block, grid, rangeFor) {
  const [width, height] = [grid.columns * (grid.width + grid.gap) - grid.gap, grid.rows * (grid.height + grid.gap) - grid.gap];
  [canvas.width, canvas.height] = [Math.max(width, 1), Math.max(height, 1)];
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(canvas.width, canvas.height);
  const channels = block.shape[block.shape.length - 1];
  for (let n = 0; n < grid.count; n++) {
    const [channel, range] = [grid.first + n, rangeFor(grid.first + n)];
    const [top, left] = [Math.floor(n / grid.columns) * (grid.height + grid.gap), (n % grid.columns) * (grid.width + grid.gap)];
    for (let i = 0; i < grid.height; i++)
      for (let j = 0; j < grid.width; j++)
        paint(image.data, 4 * ((top + i) * canvas.width + left + j), block.data[(i * grid.width + j) * channels + channel], range);
  }
  context.putImageData(image, 0, 0);
}

/** The range for each channel, on a scale of the unit, the layer, or all layers. @param {Block} block @param {{scale: string, clip: boolean}} state @param {Range} everywhere @returns {(channel: number) => Range} */
export function scaleOf(block, { scale, clip }, everywhere) {
  const channels = block.shape[block.shape.length - 1];
  if (scale === "global") return () => everywhere;
  const whole = rangeOf(block.data);
  const ofLayer = clip ? clipped(whole, [block.data]) : whole;
  if (scale === "layer") return () => ofLayer;
  return (channel) => {
    const own = rangeOf(block.data, channel, channels);
    const range = whole.low < 0 ? widest(own, { low: -own.high, high: own.high }) : own;
    return clip ? clipped(range, [block.data], channel, channels) : range;
  };
}

/** The range of all layers. @param {{data: ArrayLike<number>}[]} layers @param {boolean} clip @returns {Range} */
export function everywhereOf(layers, clip) {
  const range = layers.reduce((range, { data }) => widest(range, rangeOf(data)), { low: 0, high: 0 });
  return clip ? clipped(range, layers.map(({ data }) => data)) : range;
}

/** The legend of a layer's maps: the scale they share, or `words`; and how many values are beyond it. @param {Block} block @param {{scale: string, clip: boolean}} state @param {(channel: number) => Range} range @param {string} words */
export function legendOf(block, { scale, clip }, range, words) {
  if (scale !== "unit") return legend(range(0), clip ? block.data : []);
  if (!clip) return element("span", { class: "legend" }, words);
  const channels = block.shape[block.shape.length - 1];
  const found = Array.from({ length: channels }, (_, channel) => beyondOf(range(channel), block.data, channel, channels));
  const sum = (/** @type {"above" | "below"} */ side) => found.reduce((total, each) => total + each[side], 0);
  return element("span", { class: "legend" }, words, ...beyondMarks({ above: sum("above"), below: sum("below") }));
}

/** The colors of a scale with its numbers, and how many of the values are beyond it. @param {Range} range @param {ArrayLike<number>} [values] */
export function legend(range, values = []) {
  const canvas = element("canvas", { class: "legend-bar", "aria-hidden": "true" });
  const data = Float32Array.from({ length: 64 }, (_, i) => range.low + ((range.high - range.low) * i) / 63);
  drawMaps(canvas, { data, shape: [1, 64, 1] }, gridOf([1, 64, 1], 1), () => range);
  return element("span", { class: "legend" }, numeral(range.low), canvas, numeral(range.high), ...beyondMarks(beyondOf(range, values)));
}

/** @param {{above: number, below: number}} counts */
function beyondMarks({ above, below }) {
  const marks = /** @type {[number, string, number][]} */ ([[below, "below", -1], [above, "above", 1]]).filter(([count]) => count);
  return marks.map(([count, word, side]) => {
    const mark = element("span", { class: "swatch", "aria-hidden": "true" });
    mark.style.background = swatch(side);
    return element("span", { class: "beyond" }, mark, `${count.toLocaleString("en")} ${word}`);
  });
}

/** An image of uint8 pixels, gray or in color. @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} pixels @param {number[]} shape */
export function drawPixels(canvas, pixels, shape) {
  const { height, width, channels } = sidesOf(shape);
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  const image = new ImageData(width, height);
  const isColor = channels >= 3;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[i * channels + (isColor ? c : 0)];
    image.data[4 * i + 3] = 255;
  }
  context?.putImageData(image, 0, 0);
}
