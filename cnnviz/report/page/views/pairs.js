// Two networks: the kernels of both, each above the one of the other network that its unit was matched with.

import { numberFiles } from "./acts.js";
import { rangeOf, widest } from "./colors.js";
import { element, numeral } from "./dom.js";
import { drawMaps, gridOf, legend } from "./maps.js";
import { convolutionOf } from "./stepped.js";
/** @typedef {{order: number[], flipped: number[], alike: (number | null)[]}} Match the other's unit for each of the first, those with the opposite sign, and cosines */
/** @typedef {{networks: [number, number], why: string, layers: Record<string, Match>}} Matched */
/** @typedef {{shape: number[], data: Float32Array}} Means a kernel's mean over its inputs: height, width, outputs */

const [PAIRS_SHOWN, SIDE] = [128, 44]; // pairs of a layer, and pixels of the page that a kernel takes

/** The kernels of a layer of two networks in pairs, or why there are none. @param {any} view @param {string} layer @returns {Promise<HTMLElement[]>} */
export async function pairsOf(view, layer) {
  const matched = /** @type {Matched[]} */ (view.payload.matched ?? []).filter(({ networks }) => networks.includes(view.state.network) && networks.every((i) => i < view.networks.length));
  const made = await Promise.all(matched.map((pair) => pairFigure(view, layer, pair)));
  return made.filter((each) => each !== null);
}

/** @param {any} view @param {string} layer @param {Matched} pair @returns {Promise<HTMLElement | null>} */
async function pairFigure(view, layer, { networks, why, layers }) {
  if (!convolutionOf(view.network.graph, layer)) return null;
  if (why) return element("p", { class: "facts unmatched" }, why);
  const match = layers[layer];
  const kernels = match ? await Promise.all(networks.map((i) => kernelMeans(view, i, layer))) : [];
  if (kernels.length < 2 || kernels.some((each) => each === null)) return null;
  const both = /** @type {Means[]} */ (kernels);
  const range = widest(rangeOf(both[0].data), rangeOf(both[1].data));
  const units = pairedUnits(match);
  const shown = units.slice(0, PAIRS_SHOWN).map((pair) => pairCell(view, layer, networks, both, range, pair));
  const [one, other] = networks.map((i) => view.names[i]);
  const rest = units.length > shown.length ? ` The first ${shown.length} of ${units.length.toLocaleString("en")} are drawn; the numbers have all.` : "";
  const flips = match.flipped.length ? " A kernel of a unit that was matched with the opposite sign (−) is drawn with it." : "";
  const words = `Kernels in pairs: above one of ${one}, below that of ${other} whose unit was matched with it by the trained weights. The number is the cosine of all weights from and to both units.${flips}${rest}`;
  const rows = units.flatMap(({ b, sign, alike }) => [b, sign, alike ?? NaN]);
  const files = numberFiles(`${one}-${other}-${layer}-matched`, { shape: [units.length, 3], data: rows, names: units.map(({ a }) => `${a}`), columns: [`unit of ${other}`, "sign", "cosine"] });
  return element("figure", { class: "matched" }, element("figcaption", {}, words), element("div", { class: "pairs" }, ...shown), legend(range), files);
}

/** The pairs in the order of the first network's units. @param {Match} match */
export function pairedUnits({ order, flipped, alike }) {
  const turned = new Set(flipped);
  return order.map((b, a) => ({ a, b, sign: turned.has(a) ? -1 : 1, alike: alike[a] }));
}

/** @param {any} view @param {number} network @param {string} layer @returns {Promise<Means | null>} */
async function kernelMeans(view, network, layer) {
  const source = convolutionOf(view.networks[network].graph, layer);
  if (!source) return null;
  const [kernel] = await view.ask(network, { ask: "values", ids: [source.kernel] });
  return meansOverInputs(kernel);
}

/** A kernel's mean over its inputs. @param {{shape: number[], data: Float32Array}} kernel @returns {Means} */
export function meansOverInputs(kernel) {
  const [height, width, inputs, outputs] = kernel.shape.length === 2 ? [1, 1, ...kernel.shape] : kernel.shape.slice(-4);
  const data = new Float32Array(height * width * outputs);
  for (let i = 0; i < kernel.data.length; i++) data[Math.floor(i / (inputs * outputs)) * outputs + (i % outputs)] += kernel.data[i] / inputs;
  return { data, shape: [height, width, outputs] };
}

/** A unit of each network, which lead to their pages. @param {any} view @param {string} layer @param {[number, number]} networks @param {Means[]} kernels @param {import("./colors.js").Range} range @param {{a: number, b: number, sign: number, alike: number | null}} pair */
function pairCell(view, layer, networks, kernels, range, { a, b, sign, alike }) {
  const one = (/** @type {number} */ i, /** @type {number} */ unit, /** @type {number} */ factor) => {
    const words = `${view.names[networks[i]]}: ${layer}/${unit}`;
    const canvas = element("canvas", { class: "map", "aria-hidden": "true" });
    const [height, width, outputs] = kernels[i].shape;
    const data = Float32Array.from({ length: height * width }, (_, place) => factor * kernels[i].data[place * outputs + unit]);
    drawMaps(canvas, { data, shape: [height, width, 1] }, gridOf([height, width, 1], 1), () => range);
    canvas.style.width = `${SIDE}px`;
    return element("button", { type: "button", class: "link", "aria-label": words, title: words, onclick: () => view.go({ network: networks[i], layer, unit }) }, canvas, `${factor < 0 ? "−" : ""}${unit}`);
  };
  return element("div", { class: "pair" }, one(0, a, 1), one(1, b, sign), element("small", {}, alike === null ? "–" : numeral(Number(alike.toFixed(2)))));
}
