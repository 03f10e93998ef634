// What the logit of a class rests on, for the image that is shown: four methods, computed here.

import { acts, origin } from "./acts.js";
import { rangeOf } from "./colors.js";
import { element, numeral } from "./dom.js";
import { evidenceOf } from "./evidence.js";
import { drawMaps, gridOf, legend } from "./maps.js";
import { spreadOf } from "./spread.js";
import { watch } from "./strip.js";

const METHODS = [
  { name: "gradient", title: "Gradient", formula: "∂S/∂x, summed over channels" },
  { name: "input_x_gradient", title: "Input × gradient", formula: "x · ∂S/∂x, summed over channels" },
  { name: "grad_cam", title: "Grad-CAM", formula: "ReLU Σₖ mean(∂S/∂Aₖ) Aₖ" },
  { name: "integrated_gradients", title: "Integrated gradients", formula: "(x − x′) · mean of ∂S/∂x on the line from black, 16 Gauss–Legendre nodes" },
];
const MAP_SIZE = 196; // pixels of the page that a map takes

/** Shows each method's map as soon as it is there. @param {any} view @param {number} turn @param {number} target */
export async function explained(view, turn, target) {
  const { network } = view;
  const title = element("h2", {}, `What the logit of “${network.classes[target] ?? target}” rests on`);
  if (!network.graph.gradient) return view.parts.explained.replaceChildren(element("section", {}, title, element("p", {}, `This page cannot compute the gradient: it lacks ${network.missing.join(", ")}.`)));
  const [layer, methods] = [layerOf(view), methodsOf(view)];
  const places = methods.map(() => element("div", {}));
  const show = () => view.parts.explained.replaceChildren(element("section", { "aria-label": "Attribution" }, title,
    element("p", { class: "facts" }, "Computed here for the picture above. S is the logit; click a class for another one, and a layer for its Grad-CAM."), element("div", { class: "maps" }, ...places)));
  for (const [i, method] of methods.entries()) {
    const found = await mapOf(view, () => turn === view.turn, { method: method.name, target, layer });
    if (!found) return;
    places[i].replaceChildren(figure(method, found, layer, view, target));
    if (i === 0 && !view.parts.explained.children.length) show();
  }
  show();
}

/** The layer that Grad-CAM is of: the one that is shown if it has maps, else the last with maps. @param {any} view */
export function layerOf({ network, state }) {
  return state.layer && isMaps(network, state.layer) ? state.layer : lastMaps(network);
}

/** The methods that the network has maps of. @param {any} view */
export function methodsOf(view) {
  return METHODS.filter(({ name }) => name !== "grad_cam" || layerOf(view));
}

/** A method's map, put together from its parts; null if something else is to be shown by then. @param {any} view @param {() => boolean} isWanted @param {any} request */
export async function mapOf(view, isWanted, request) {
  let [found, first] = [/** @type {any} */ (null), /** @type {number | null} */ (0)];
  while (first !== null) {
    const part = await view.ask(view.state.network, { ask: "explain", ...request, first }, view.explainer);
    if (!isWanted()) return null;
    if (found) part.values = part.values.map((/** @type {number} */ value, /** @type {number} */ i) => value + found.values[i]);
    [found, first] = [part, part.next ?? null];
  }
  if (found.gain !== undefined) found.gap = found.values.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0) - found.gain;
  return { gap: null, ...found };
}

/** The last layer with maps, which Grad-CAM is of. @param {any} network */
function lastMaps(network) {
  const found = network.layers.filter((/** @type {any} */ layer) => layer.shape.length > 1 && layer.shape[0] > 1);
  return found.length ? found[found.length - 1].name : "";
}

/** @param {any} network @param {string} name */
function isMaps(network, name) {
  return network.layers.some((/** @type {any} */ layer) => layer.name === name && layer.shape.length > 2 && layer.shape[0] > 1);
}

/** A method's map, drawn on a scale of its own and summed over the channels of an image. @param {{name: string, title: string}} method @param {{values: Float32Array, shape: number[]}} found @param {number} size */
export function mapDrawn(method, found, size) {
  const isOfLayer = method.name === "grad_cam";
  const channels = isOfLayer ? 1 : found.shape[found.shape.length - 1];
  const sides = isOfLayer ? found.shape : found.shape.slice(0, -1);
  const sums = new Float32Array(found.values.length / channels);
  found.values.forEach((value, i) => (sums[Math.floor(i / channels)] += value));
  const [block, range] = [{ data: sums, shape: [...sides, 1] }, rangeOf(sums)];
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `${method.title}, from ${numeral(range.low)} to ${numeral(range.high)}` });
  const grid = gridOf(block.shape, 1);
  drawMaps(canvas, block, grid, () => range);
  canvas.style.width = `${size}px`;
  return { canvas, block, grid, range };
}

/** @param {{name: string, title: string, formula: string}} method @param {any} found @param {string} layer @param {any} view @param {number} target */
function figure(method, found, layer, view, target) {
  const isOfLayer = method.name === "grad_cam";
  const { canvas, block, grid, range } = mapDrawn(method, found, MAP_SIZE);
  watch(canvas, () => block, grid, method.title, view.say, () => {});
  const of = isOfLayer ? `${method.title} of ${layer}` : method.title;
  const gap = found.gap === null ? "" : `. Sum minus what the logit gains: ${numeral(found.gap)}.`;
  const { python, command } = origin(view);
  const options = isOfLayer ? `, layer=${JSON.stringify(layer)}` : "";
  const expression = `attribution.attribute("${method.name}", net.model, net.variables, net.prepare(images), ${target}${options})`;
  const taken = acts(`${view.network.name}-${method.name}`, block, python(expression), command(`attribute RUN --methods ${method.name}`), view.say);
  return element("figure", { class: "small" }, element("figcaption", {}, of), canvas, legend(range), element("p", { class: "formula" }, method.formula, gap), ...evidenceOf(view.network, method.name), ...spreadOf(view, method, target), element("details", {}, element("summary", {}, "Numbers"), taken));
}
