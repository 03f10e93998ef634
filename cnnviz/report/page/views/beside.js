// Two networks: how alike each layer of the one is to each of the other. A cell opens both layers.

import { numberFiles } from "./acts.js";
import { cssColor } from "./colors.js";
import { element, numeral } from "./dom.js";
/** @typedef {{title: string, networks: [number, number], rows: string[], columns: string[], values: number[][]}} Matrix */

/** @param {any} view */
export function beside(view) {
  const matrices = /** @type {Matrix[]} */ (view.payload.matrices ?? []).filter(({ networks }) => networks.every((i) => i < view.networks.length));
  return matrices.map((matrix) => element("section", { "aria-label": matrix.title }, element("h2", {}, matrix.title),
    element("p", { class: "facts" }, "Rows are layers of the first network, columns of the second. A cell opens both layers above."), element("div", { class: "wide", tabindex: "0" }, matrixTable(matrix, view)), numberFiles(matrix.title, { shape: [matrix.rows.length, matrix.columns.length], data: matrix.values.flat(), names: matrix.rows, columns: matrix.columns })));
}

/** @param {Matrix} matrix @param {any} view */
function matrixTable({ networks: [a, b], rows, columns, values }, view) {
  const most = Math.max(1e-12, ...values.flat().map(Math.abs));
  const range = { low: values.flat().some((value) => value < -0.05) ? -most : 0, high: most };
  const head = columns.map((name) => element("th", { scope: "col" }, element("span", {}, name)));
  const body = rows.map((row, i) => element("tr", {}, element("th", { scope: "row" }, row), ...columns.map((column, j) => cell(values[i][j], `${row} and ${column}: ${numeral(values[i][j])}`, range, view, () => view.go({ network: a, layer: row, unit: null, other: `${b}/${column}` })))));
  return element("table", { class: "matrix" }, element("thead", {}, element("tr", {}, element("td", {}), ...head)), element("tbody", {}, ...body));
}

/** @param {number} value @param {string} words @param {import("./colors.js").Range} range @param {any} view @param {() => void} open */
function cell(value, words, range, view, open) {
  const button = element("button", { type: "button", "aria-label": words, title: words, onclick: open, onmouseenter: () => view.say(words), onfocus: () => view.say(words) }, value.toFixed(2).replace(/^(-?)0/, "$1"));
  Object.assign(button.style, cssColor(Math.max(value, range.low), range));
  return element("td", {}, button);
}

/** The view of the other network whose layer is open too; null if there is none. @param {any} view */
export function otherView(view) {
  if (!view.state.other) return null;
  const [number, layer] = [Number(view.state.other.split("/")[0]), view.state.other.split("/").slice(1).join("/")];
  const network = view.networks[number];
  if (!layer || !network || number === view.state.network) return null;
  return { payload: view.payload, say: view.say, client: view.client, pixels: view.pixels, networks: view.networks, weights: view.weights, changes: [], shape: view.shape, network, forward: view.found[number],
    state: { ...view.state, network: number, layer, unit: null, other: "" }, go: (/** @type {any} */ change) => view.go({ network: number, layer, other: "", ...change }) };
}

/** Marks, in each other strip, the unit that is nearest to the one under the pointer. @param {any} view @param {number} network @param {string} layer @param {number} unit */
export function markNearest(view, network, layer, unit) {
  for (const mark of document.querySelectorAll(".twin")) mark.remove();
  for (const each of view.networks[network].nearest?.[layer]?.[unit]?.slice().reverse() ?? []) {
    const strip = view.strips[each.network];
    const place = strip?.columns.find((/** @type {{name: string}} */ column) => column.name === each.layer)?.place(each.unit);
    if (!place) continue;
    const mark = element("span", { class: "twin", title: `${each.layer}/${each.unit}` });
    Object.assign(mark.style, { left: `${place.x}px`, top: `${place.y}px`, opacity: String(Math.max(0.3, each.correlation)) });
    strip.links.append(mark);
  }
}
