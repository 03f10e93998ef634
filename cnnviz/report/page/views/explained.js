// What the probability of a class rests on, for the image that is shown: four methods, computed here.

import { rangeOf } from "./colors.js";
import { element, numeral } from "./dom.js";
import { drawMaps, gridOf, legend } from "./maps.js";

const METHODS = [
  { name: "gradient", title: "Gradient", formula: "∂S/∂x, summed over channels" },
  { name: "input_x_gradient", title: "Input × gradient", formula: "x · ∂S/∂x, summed over channels" },
  { name: "grad_cam", title: "Grad-CAM", formula: "ReLU Σₖ mean(∂S/∂Aₖ) Aₖ" },
  { name: "integrated_gradients", title: "Integrated gradients", formula: "(x − x′) · mean gradient on the line from black, 16 Gauss–Legendre nodes" },
];

/** The last layer with maps, which Grad-CAM is of. @param {any} network */
export function lastMaps(network) {
  const found = network.layers.filter((/** @type {any} */ layer) => layer.shape.length > 1 && layer.shape[0] > 1);
  return found.length ? found[found.length - 1].name : "";
}

/** @param {any} network @param {number} target @param {(method: string, layer: string) => Promise<any>} explain @param {string} chosen */
export async function explained(network, target, explain, chosen) {
  const name = network.classes[target] ?? String(target);
  const title = element("h3", {}, `What the logit of “${name}” rests on`);
  if (!network.graph.gradient) return element("section", {}, title, element("p", {}, `This page cannot compute the gradient: it lacks ${network.missing.join(", ")}.`));
  const last = lastMaps(network);
  const layer = chosen && isMaps(network, chosen) ? chosen : last;
  const figures = [];
  for (const method of METHODS)
    if (method.name !== "grad_cam" || layer) figures.push(figure(method, await explain(method.name, layer), layer));
  return element("section", { "aria-label": "Attribution" }, title, element("div", { class: "maps" }, ...figures));
}

/** @param {any} network @param {string} name */
function isMaps(network, name) {
  return network.layers.some((/** @type {any} */ layer) => layer.name === name && layer.shape.length > 2 && layer.shape[0] > 1);
}

/** @param {{name: string, title: string, formula: string}} method @param {{values: Float32Array, shape: number[], gap: number | null}} found @param {string} layer */
function figure(method, found, layer) {
  const isOfLayer = method.name === "grad_cam";
  const channels = isOfLayer ? 1 : found.shape[found.shape.length - 1];
  const sides = isOfLayer ? found.shape : found.shape.slice(0, -1);
  const sums = new Float32Array(found.values.length / channels);
  found.values.forEach((value, i) => (sums[Math.floor(i / channels)] += value));
  const [shape, range] = [[...sides, 1], rangeOf(sums)];
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `${method.title}, from ${numeral(range.low)} to ${numeral(range.high)}` });
  drawMaps(canvas, { data: sums, shape }, gridOf(shape, 1), () => range);
  canvas.style.width = "140px";
  const of = isOfLayer ? `${method.title} of ${layer}` : method.title;
  const gap = found.gap === null ? "" : ` Sum minus what the logit gains: ${numeral(found.gap)}.`;
  return element("figure", { class: "small" }, element("figcaption", {}, of), canvas, legend(range), element("p", { class: "formula" }, method.formula, gap));
}
