// One value of a convolution or dense layer, step by step: what it reads, the weights, the products and their sum.

import { cssColor, rangeOf } from "./colors.js";
import { element, numeral } from "./dom.js";
import { makersOf } from "./makers.js";
import { simplyStepped } from "./simple_steps.js";

const MOST_TERMS = 8; // terms that are listed

/** @typedef {{op: string, input: number, kernel: number, bias: number | null, params: any}} Source */

/** The convolution or product that makes a layer, with its bias; null for another layer. @param {any} graph @param {string} layer @returns {Source | null} */
export function convolutionOf(graph, layer) {
  const makers = makersOf(graph);
  const isProduct = (/** @type {import("./makers.js").Maker | undefined} */ node) => node !== undefined && (node.op === "conv_general_dilated" || node.op === "dot_general");
  const node = makers.get(graph.layers[layer]);
  if (!node) return null;
  if (isProduct(node)) return graph.weights.includes(node.in[1]) ? { op: node.op, input: node.in[0], kernel: node.in[1], bias: null, params: node.params } : null;
  if (node.op !== "add") return null;
  const at = node.in.findIndex((/** @type {number} */ id) => isProduct(makers.get(id)));
  if (at < 0) return null;
  const product = makers.get(node.in[at]);
  if (!product || !graph.weights.includes(product.in[1])) return null;
  return { op: product.op, input: product.in[0], kernel: product.in[1], bias: node.in[1 - at], params: product.params };
}

/** The step that makes a value, and those before it back to a layer with weights. @param {any} graph @param {string} layer @param {number} unit @param {number} row @param {number} column @param {(request: any) => Promise<any>} ask @returns {Promise<HTMLElement>} */
export async function stepped(graph, layer, unit, row, column, ask) {
  const made = [/** @type {HTMLElement} */ (element("h4", {}, "One value, step by step"))];
  for (let [name, from] = [/** @type {string | undefined} */ (layer), { row, column }]; name !== undefined; ) {
    const source = convolutionOf(graph, name);
    const step = source ? { root: await summed(graph, name, source, unit, from.row, from.column, ask), from: null } : await simplyStepped(graph, name, unit, from.row, from.column, ask);
    made.push(step.root);
    const before = step.from;
    name = before ? Object.keys(graph.layers).find((other) => graph.layers[other] === before.id && other !== name) : undefined;
    if (before) from = before;
  }
  return element("div", {}, ...made);
}

/** A value of a layer with weights: the sum of products. @param {any} graph @param {string} layer @param {Source} source @param {number} unit @param {number} row @param {number} column @param {(request: any) => Promise<any>} ask */
async function summed(graph, layer, source, unit, row, column, ask) {
  const ids = [source.input, source.kernel, graph.layers[layer], ...(source.bias === null ? [] : [source.bias])];
  const [input, kernel, output, bias] = await ask({ ask: "values", ids });
  const outputs = output.shape[output.shape.length - 1];
  const shift = bias ? bias.data[bias.data.length === outputs ? unit : 0] : 0;
  const isFlat = source.op === "dot_general";
  const terms = isFlat ? denseTerms(input, kernel, unit) : windowTerms(input, kernel, unit, row, column, source.params);
  if (!terms) return element("p", {}, "This kind of convolution is not shown step by step.");
  const value = output.data[isFlat ? unit : (row * output.shape[output.shape.length - 2] + column) * outputs + unit];
  const sum = terms.reduce((total, { x, w }) => total + x * w, 0);
  const place = isFlat ? `${layer}[${unit}]` : `${layer}[${row}, ${column}, ${unit}]`;
  const formula = element("p", { class: "formula" }, `${place} = Σ of ${terms.length} products + bias = ${numeral(sum)} + ${numeral(shift)} = `, element("strong", {}, numeral(value)));
  const parts = [...(isFlat ? [] : [cells(terms, kernel.shape)]), largest(terms)];
  return element("div", {}, formula, element("div", { class: "beside" }, ...parts));
}

/** @typedef {{x: number, w: number, name: string, channel: number, i: number, j: number}} Term */

/** @param {any} input @param {any} kernel @param {number} unit @returns {Term[]} */
function denseTerms(input, kernel, unit) {
  const outputs = kernel.shape[1];
  return Array.from(input.data, (x, i) => ({ x: Number(x), w: kernel.data[i * outputs + unit], name: `input[${i}]`, channel: i, i: 0, j: 0 }));
}

/** @param {any} input @param {any} kernel @param {number} unit @param {number} row @param {number} column @param {any} params @returns {Term[] | null} */
function windowTerms(input, kernel, unit, row, column, params) {
  const usual = `${params.lhs_spec}` === "0,3,1,2" && `${params.rhs_spec}` === "3,2,0,1" && `${params.lhs_dilation}` === "1,1";
  if (!usual) return null;
  const [height, width, inputs, outputs] = kernel.shape;
  const [, h, w, channels] = input.shape;
  const start = Math.floor(unit / (outputs / params.feature_group_count)) * inputs;
  const found = [];
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++)
      for (let c = 0; c < inputs; c++) {
        const y = row * params.window_strides[0] - params.padding[0][0] + i * params.rhs_dilation[0];
        const x = column * params.window_strides[1] - params.padding[1][0] + j * params.rhs_dilation[1];
        const inside = y >= 0 && y < h && x >= 0 && x < w;
        const name = inside ? `input[${y}, ${x}, ${start + c}]` : "padding";
        found.push({ x: inside ? input.data[(y * w + x) * channels + start + c] : 0, w: kernel.data[((i * width + j) * inputs + c) * outputs + unit], name, channel: c, i, j });
      }
  return found;
}

/** The window, the kernel and their products for the input channel that adds most. @param {Term[]} terms @param {number[]} shape */
function cells(terms, [height, width, inputs]) {
  const sums = new Float64Array(inputs);
  for (const { x, w, channel } of terms) sums[channel] += x * w;
  const most = sums.reduce((best, value, c) => (Math.abs(value) > Math.abs(sums[best]) ? c : best), 0);
  const own = terms.filter(({ channel }) => channel === most);
  const grid = (/** @type {string} */ title, /** @type {(term: Term) => number} */ of) => {
    const range = rangeOf(own.map(of));
    const rows = Array.from({ length: height }, (_, i) =>
      element("tr", {}, ...own.slice(i * width, (i + 1) * width).map((term) => {
        const cell = element("td", {}, numeral(of(term)));
        Object.assign(cell.style, cssColor(of(term), range));
        return cell;
      })));
    return element("table", { class: "cells" }, element("caption", {}, title), element("tbody", {}, ...rows));
  };
  const words = inputs > 1 ? `Input channel ${most}, which adds ${numeral(sums[most])}, the most of ${inputs}:` : "";
  const sign = (/** @type {string} */ text) => element("span", { class: "sign" }, text);
  return element("div", {}, ...(words ? [element("p", { class: "formula" }, words)] : []), element("div", { class: "product" }, grid("input", ({ x }) => x), sign("×"), grid("kernel", ({ w }) => w), sign("="), grid("products", ({ x, w }) => x * w)));
}

/** @param {Term[]} terms */
function largest(terms) {
  const order = terms.slice().sort((a, b) => Math.abs(b.x * b.w) - Math.abs(a.x * a.w)).slice(0, MOST_TERMS);
  const rows = order.map(({ x, w, name }) => element("tr", {}, element("td", {}, name), ...[x, w, x * w].map((value) => element("td", {}, numeral(value)))));
  const head = element("tr", {}, ...["input", "value", "weight", "product"].map((name) => element("th", { scope: "col" }, name)));
  return element("table", { class: "terms" }, element("caption", {}, `The ${order.length} largest of ${terms.length} products`), element("thead", {}, head), element("tbody", {}, ...rows));
}
