// The classes with their probabilities, before and after what was changed; a click explains one.

import { saveArrays } from "./acts.js";
import { bars } from "./charts.js";
import { element, percent } from "./dom.js";
import { logitsLayer } from "./softmax.js";
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./strip.js").Forward} Forward */

const CLASSES = 12; // that are listed

/** The classes by probability; `before` has the probabilities before a change. @param {any} network @param {Forward} forward @param {State} state @param {import("./strip.js").Acts} acts @param {number[]} [before] */
export function classList(network, forward, state, { go, pixels }, before) {
  const { probabilities } = forward;
  const order = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]).slice(0, CLASSES);
  const rows = order.map((i) => ({ name: network.classes[i] ?? String(i), value: probabilities[i], was: before?.[i], text: (before ? `${percent(before[i]).slice(0, -2)} → ` : "") + percent(probabilities[i]) }));
  const chosen = order.indexOf(state.target ?? order[0]);
  const more = probabilities.length > CLASSES ? element("p", {}, `the first ${CLASSES} of ${probabilities.length}`) : "";
  const layer = logitsLayer(network);
  const steps = layer ? [element("button", { type: "button", title: "The logits, their exponentials, their sum and the probabilities", onclick: () => go({ layer, unit: state.target ?? order[0] }) }, "step by step")] : [];
  const all = element("button", { type: "button", title: "All layers, the logits and the probabilities for this picture, as arrays for NumPy", onclick: () => saveArrays(`${network.name}-picture`, arraysOf(forward, pixels(), network)) }, "all numbers (npz)");
  const list = bars("Probabilities of classes", rows, { chosen, most: 1, choose: (row) => go({ target: order[row] }) });
  list.classList.toggle("compared", before !== undefined);
  return [element("h4", {}, before ? "probability, before → now" : "probability"), list, more, element("p", { class: "acts" }, ...steps, all)];
}

/** The picture, the logits and probabilities, and each layer by its name. @param {Forward} forward @param {Uint8Array} pixels @param {any} network */
function arraysOf({ layers, logits, probabilities }, pixels, network) {
  const shape = network.graph.values[network.graph.inputs.image][0];
  const vector = (/** @type {number[]} */ values) => ({ shape: [values.length], data: values });
  const own = layers.map((block) => [`layers/${block.layer}`, block]);
  return { pixels: { shape, data: pixels }, logits: vector(logits), probabilities: vector(probabilities), ...Object.fromEntries(own) };
}
