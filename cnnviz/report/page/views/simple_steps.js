// One value of a layer without weights, step by step: what it reads, and what is made of that.

import { cssColor, rangeOf } from "./colors.js";
import { element, numeral } from "./dom.js";
import { makersOf } from "./makers.js";

const POOLS = { reduce_window_max: "largest", reduce_window_min: "smallest", reduce_window_sum: "sum" };

/** The node that makes a value, and the value that it changes, past what only moves values. @param {any} graph @param {number} id */
function makerOf(graph, id) {
  const makers = makersOf(graph);
  let node = makers.get(id);
  const summed = node?.op === "div" ? makers.get(node.in[0]) : undefined;
  const isMean = summed?.op === "reduce_window_sum";
  if (isMean) node = summed;
  return { node, isMean };
}

/** What kind of step makes the layer: a pooling, a function of each value, or null. @param {any} graph @param {string} layer */
export function simpleStep(graph, layer) {
  const { node, isMean } = makerOf(graph, graph.layers[layer]);
  if (!node) return null;
  const size = (/** @type {number} */ id) => graph.values[id][0].reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
  if (node.op in POOLS && node.params.window_dimensions) return { kind: "pool", input: node.in[0], word: isMean ? "mean" : POOLS[/** @type {keyof typeof POOLS} */ (node.op)], params: node.params };
  const from = node.in.filter((/** @type {number} */ id) => size(id) === size(node.out[0]));
  if (node.op === "max" && from.length === 1) return { kind: "relu", input: from[0], word: "", params: {} };
  return from.length === 1 ? { kind: "each", input: from[0], word: node.op.replaceAll("_", " "), params: {} } : null;
}

/** @typedef {{id: number, row: number, column: number}} From the value of the graph that was read, and the place in it */

/** The step, and the value that it takes, if that is one. @param {any} graph @param {string} layer @param {number} unit @param {number} row @param {number} column @param {(request: any) => Promise<any>} ask @returns {Promise<{root: HTMLElement, from: From | null}>} */
export async function simplyStepped(graph, layer, unit, row, column, ask) {
  const step = simpleStep(graph, layer);
  if (!step) return { root: element("p", {}, "This layer has no weights: it is a function of several values of the layers before it."), from: null };
  const [input, output] = await ask({ ask: "values", ids: [step.input, graph.layers[layer]] });
  const shape = graph.shapes[layer];
  const channels = shape[shape.length - 1];
  const at = (row * (shape.length > 1 ? shape[shape.length - 2] : 1) + column) * channels + unit;
  const value = output.data[at];
  const place = shape.length > 1 ? `${layer}[${row}, ${column}, ${unit}]` : `${layer}[${unit}]`;
  if (step.kind === "pool" && shape.length === 3) return pooled(step, input, place, value, [row, column, unit]);
  const x = input.data[at];
  const words = step.kind === "relu" ? `max(0, ${numeral(x)})` : `${step.word} of ${numeral(x)}`;
  return { root: element("p", { class: "formula" }, `${place} = ${words} = `, element("strong", {}, numeral(value))), from: { id: step.input, row, column } };
}

/** The window of a pooling; what it takes is the value that it equals. @param {any} step @param {any} input @param {string} place @param {number} value @param {number[]} at */
function pooled({ word, params, input: id }, input, place, value, [row, column, unit]) {
  const axes = input.shape.length - 3; // before height, width and channels
  const [height, width, channels] = input.shape.slice(axes);
  const side = (/** @type {string} */ name, /** @type {any} */ usual) => (params[name] ?? input.shape.map(() => usual)).slice(axes, axes + 2);
  const [window, strides, padding] = [side("window_dimensions", 1), side("window_strides", 1), side("padding", [0, 0])];
  let from = /** @type {From | null} */ (null);
  const cells = Array.from({ length: window[0] }, (_, i) => Array.from({ length: window[1] }, (_, j) => {
    const [y, x] = [row * strides[0] - padding[0][0] + i, column * strides[1] - padding[1][0] + j];
    const each = y >= 0 && y < height && x >= 0 && x < width ? input.data[(y * width + x) * channels + unit] : null;
    if (each === value && !from) from = { id, row: y, column: x };
    return each;
  }));
  const range = rangeOf(cells.flat().filter((each) => each !== null));
  const rows = cells.map((line) => element("tr", {}, ...line.map((each) => {
    const cell = element("td", {}, each === null ? "–" : numeral(each));
    if (each !== null) Object.assign(cell.style, cssColor(each, range));
    return cell;
  })));
  const said = element("p", { class: "formula" }, `${place} = ${word} of ${window[0]}×${window[1]} values = `, element("strong", {}, numeral(value)));
  return { root: element("div", { class: "pool" }, said, element("table", { class: "cells" }, element("tbody", {}, ...rows))), from };
}
