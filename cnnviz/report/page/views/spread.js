// A method's maps over the seeds of a run, for the image that is shown: their mean and their standard deviation.

import { bytesOf } from "../interpreter/weights.js";
import { numberFiles } from "./acts.js";
import { rangeOf } from "./colors.js";
import { element } from "./dom.js";
import { drawMaps, gridOf, legend } from "./maps.js";
import { watch } from "./strip.js";
/** @typedef {{size: number, bytes: string}} Small a map with 8 bits a value, of which 127 stands for the size */

const SPREAD_SIDE = 92; // pixels of the page that a map takes

/** Both maps, or which images have them; none if the network has one seed. @param {any} view @param {{name: string, title: string}} method @param {number} target @returns {HTMLElement[]} */
export function spreadOf(view, method, target) {
  const { network, payload, state, changes } = view;
  const spread = network.methods?.[method.name]?.spread;
  if (!spread) return [];
  const number = payload.shelf[state.image]?.number;
  const own = spread.images[number];
  const isOfThis = own && own.target === target && state.step === 0 && !changes.length;
  const count = Object.keys(spread.images).length;
  if (!isOfThis) return [element("p", { class: "formula" }, `Maps over ${spread.seeds} seeds are here for ${count} images of the shelf, as they are after training, for the class that is predicted.`)];
  const maps = [["mean", own.mean], ["deviation", own.deviation]].map(([what, small]) => spreadMap(view, method, what, valuesIn(small), [...spread.shape, 1], `${network.name}-${method.name}-${number}-seeds-${what}`));
  return [element("p", { class: "formula" }, `Mean and standard deviation over ${spread.seeds} seeds of maps${method.name === "grad_cam" ? " (of the last layer after a nonlinearity)" : ""} divided by their largest size:`), element("div", { class: "spread" }, ...maps)];
}

/** @param {Small} small */
export function valuesIn({ size, bytes }) {
  const found = bytesOf(bytes);
  return Float32Array.from(new Int8Array(found.buffer, found.byteOffset, found.length), (value) => (value * size) / 127);
}

/** @param {any} view @param {{title: string}} method @param {string} what @param {Float32Array} data @param {number[]} shape @param {string} name */
function spreadMap(view, method, what, data, shape, name) {
  const words = `${method.title}: ${what} over seeds`;
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": words });
  const [range, grid] = [rangeOf(data), gridOf(shape, 1)];
  drawMaps(canvas, { data, shape }, grid, () => range);
  canvas.style.width = `${SPREAD_SIDE}px`;
  watch(canvas, () => ({ data, shape }), grid, words, view.say, () => {});
  return element("div", {}, element("small", {}, what), canvas, legend(range), numberFiles(name, { data, shape }));
}
