// From logits to probabilities, step by step: the exponentials, their sum, and what is divided by it.

import { probabilities } from "../interpreter/network.js";
import { numberFiles } from "./acts.js";
import { element, numeral } from "./dom.js";
import { makersOf } from "./makers.js";

const [LISTED, MOVES] = [12, new Set(["squeeze", "reshape", "copy", "convert_element_type", "broadcast_in_dim"])];

/** The layer whose values are the logits; "" if none is. @param {any} network */
export function logitsLayer({ graph }) {
  const makers = makersOf(graph);
  const names = new Map(Object.entries(graph.layers).map(([name, id]) => [id, name]));
  for (let id = graph.logits; ; ) {
    if (names.has(id)) return /** @type {string} */ (names.get(id));
    const node = makers.get(id);
    if (!node || !MOVES.has(node.op)) return "";
    id = node.in[0];
  }
}

/** The exponential of each logit, as the ending takes them, and their sum. @param {number[]} logits @param {string} ending */
function exponentialsOf(logits, ending) {
  const largest = ending === "sigmoid" ? 0 : Math.max(...logits);
  const exponentials = logits.map((x) => Math.exp(ending === "sigmoid" ? -x : x - largest));
  return { largest, exponentials, sum: exponentials.reduce((a, b) => a + b, 0) };
}

/** The numbers of all classes as a table, and those of the chosen one as a formula. @param {any} network @param {{logits: number[]}} forward @param {number | null} chosen */
export function softmaxSteps({ name, classes, graph }, { logits }, chosen) {
  const isSigmoid = graph.ending === "sigmoid";
  const { largest, sum, exponentials } = exponentialsOf(logits, graph.ending);
  const shares = probabilities(logits, graph.ending);
  const of = (/** @type {number} */ i) => classes[i] ?? String(i);
  const order = shares.map((_, i) => i).sort((a, b) => shares[b] - shares[a]);
  const at = chosen !== null && chosen < logits.length ? chosen : order[0];
  const listed = order.slice(0, LISTED);
  if (!listed.includes(at)) listed.push(at);
  const formula = isSigmoid
    ? `p(${of(at)}) = 1 / (1 + exp(−${numeral(logits[at])})) = 1 / (1 + ${numeral(exponentials[at])}) = `
    : `p(${of(at)}) = exp(${numeral(logits[at])} − ${numeral(largest)}) / Σ exp(logit − ${numeral(largest)}) = ${numeral(exponentials[at])} / ${numeral(sum)} = `;
  const head = ["class", "logit", isSigmoid ? "exp(−logit)" : "exp(logit − largest)", "probability"];
  const rows = listed.map((i) => element("tr", i === at ? { class: "here-row" } : {}, element("th", { scope: "row" }, of(i)), ...[logits[i], exponentials[i], shares[i]].map((value) => element("td", {}, numeral(value)))));
  const total = isSigmoid ? "" : element("tfoot", {}, element("tr", {}, element("th", { scope: "row" }, `sum over ${logits.length} classes`), element("td", {}), element("td", {}, numeral(sum)), element("td", {}, numeral(shares.reduce((a, b) => a + b, 0)))));
  const more = listed.length < logits.length ? ` (${listed.length} of ${logits.length} classes)` : "";
  const arrays = { logits, exponentials, probabilities: shares };
  const columns = Object.values(arrays);
  const numbers = { shape: [logits.length, 3], data: logits.flatMap((_, i) => columns.map((each) => each[i])), names: logits.map((_, i) => of(i)), columns: Object.keys(arrays) };
  return element("div", { class: "softmax" }, element("h4", {}, `From logits to probabilities: ${isSigmoid ? "sigmoid" : "softmax"}`), element("p", { class: "formula" }, formula, element("strong", {}, numeral(shares[at]))),
    element("table", { class: "terms" }, element("caption", {}, `The numbers of this network for the picture above${more}`), element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))), element("tbody", {}, ...rows), total), numberFiles(`${name}-probabilities`, numbers));
}
