// Maps of a layer on one canvas, one pixel a value; the style sheet enlarges it with crisp pixels.

import { paint, rangeOf, widest } from "./colors.js";
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

/** The range for each channel, on a scale of the unit, the layer, or all layers. @param {Block} block @param {string} scale @param {Range} everywhere @returns {(channel: number) => Range} */
export function scaleOf(block, scale, everywhere) {
  const channels = block.shape[block.shape.length - 1];
  const ofLayer = rangeOf(block.data);
  if (scale === "global") return () => everywhere;
  if (scale === "layer") return () => ofLayer;
  return (channel) => {
    const own = rangeOf(block.data, channel, channels);
    return ofLayer.low < 0 ? widest(own, { low: -own.high, high: own.high }) : own;
  };
}

/** The colors of a scale with its numbers. @param {Range} range */
export function legend(range) {
  const canvas = element("canvas", { class: "legend-bar", "aria-hidden": "true" });
  const data = Float32Array.from({ length: 64 }, (_, i) => range.low + ((range.high - range.low) * i) / 63);
  drawMaps(canvas, { data, shape: [1, 64, 1] }, gridOf([1, 64, 1], 1), () => range);
  return element("span", { class: "legend" }, numeral(range.low), canvas, numeral(range.high));
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
