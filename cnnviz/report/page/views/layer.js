// A layer, one level below the strip: large maps, kernels, its weights before and after training, statistics.

import { acts, numberFiles, origin, quoted } from "./acts.js";
import { histogram, lines } from "./charts.js";
import { rangeOf } from "./colors.js";
import { element, numeral } from "./dom.js";
import { drawMaps, everywhereOf, gridOf, legend, legendOf, scaleOf } from "./maps.js";
import { meansOverInputs } from "./pairs.js";
import { answerOf } from "./questions.js";
import { logitsLayer, softmaxSteps } from "./softmax.js";
import { convolutionOf } from "./stepped.js";
import { watch } from "./strip.js";

const [MAPS_AT_ONCE, WIDEST] = [256, 1180]; // maps that are shown at once, and pixels of the page that they take

/** @param {any} view @param {any} layer @param {any} block @param {any} kernel */
export async function layerPage(view, layer, block, kernel) {
  const facts = [layer.kind, layer.shape.join("×"), `${layer.parameters.toLocaleString("en")} parameters`, layer.receptiveField ? `each value sees ${layer.receptiveField.join("×")} pixels` : ""];
  const of = view.payload.networks.length > 1 ? `${view.network.name}: ` : "";
  const made = [element("h2", {}, of + layer.name), element("p", { class: "facts" }, facts.filter(Boolean).join(" · ")), ...said(view.network.statistics[layer.name], layer), maps(view, layer, block)];
  const { python, command } = origin(view);
  const expression = `probe.activations(net.model, net.variables, images, ${JSON.stringify(layer.name)}, prepare=net.prepare)[${JSON.stringify(layer.name)}]`;
  made.push(acts(`${view.network.name}-${layer.name}`, { data: block.data, shape: layer.shape }, python(expression), command(`activations RUN --layer ${quoted(layer.name)}`), view.say));
  const found = view.network.statistics[layer.name];
  const charts = kernel ? [kernels(kernel, view, layer), await trained(view, layer, kernel)] : [];
  if (found) charts.push(meansOf(found));
  if (charts.length) made.push(element("div", { class: "maps" }, ...charts));
  if (layer.name === logitsLayer(view.network)) made.push(element("div", { class: "stepped" }, softmaxSteps(view.network, view.forward, view.state.target)));
  return element("section", { "aria-label": `Layer ${layer.name}`, id: "detail" }, ...made);
}

/** What is known of its units over the data set. @param {any} found @param {any} layer */
function said(found, layer) {
  if (!found) return [];
  const [dead, channels] = [found.dead, layer.shape[layer.shape.length - 1]];
  const listed = dead.length ? `: ${dead.slice(0, 20).join(", ")}${dead.length > 20 ? ", …" : ""}` : "";
  return [element("p", {}, `Over ${found.images.toLocaleString("en")} images ${dead.length} of ${channels.toLocaleString("en")} units are zero everywhere${listed}.`)];
}

/** The mean of each unit over the data set. @param {any} found */
function meansOf(found) {
  const values = found.mean.map((/** @type {number} */ value, /** @type {number} */ unit) => [unit, value]);
  return lines(`Mean of each unit over ${found.images.toLocaleString("en")} images`, [{ name: "mean", values }], "unit");
}

/** All maps, or a page of them. @param {any} view @param {any} layer @param {any} block */
function maps(view, layer, block) {
  const channels = layer.shape[layer.shape.length - 1];
  const isVector = layer.shape.length === 1;
  const everywhere = everywhereOf(view.forward.layers, view.state.clip);
  const most = isVector ? MAPS_AT_ONCE * 16 : MAPS_AT_ONCE;
  const root = element("div", { class: "paged" });
  const show = (/** @type {number} */ first) => {
    const count = Math.min(most, channels - first);
    const sides = Math.max(1, layer.shape.length > 1 ? layer.shape[layer.shape.length - 2] : 1);
    const zoom = isVector ? 18 : Math.max(1, Math.min(8, Math.floor(Math.sqrt((WIDEST * 440) / count) / (sides + 1))));
    const grid = gridOf(layer.shape, Math.max(1, Math.floor(WIDEST / ((sides + (isVector ? 0 : 1)) * zoom))), first, most);
    const canvas = element("canvas", { class: "map large", role: "img", "aria-label": `Maps ${first} to ${first + count - 1} of ${layer.name}` });
    const range = scaleOf(block, view.state, everywhere);
    drawMaps(canvas, block, grid, range);
    canvas.style.width = `${canvas.width * zoom}px`;
    watch(canvas, () => block, grid, layer.name, view.say, (unit) => view.go({ unit }));
    const turn = (/** @type {string} */ label, /** @type {number} */ to) => element("button", { type: "button", disabled: to < 0 || to >= channels, onclick: () => show(to) }, label);
    const pages = channels > most ? element("p", { class: "choice" }, turn("←", first - most), `maps ${first}–${first + count - 1} of ${channels.toLocaleString("en")}`, turn("→", first + most)) : "";
    root.replaceChildren(pages, canvas, legendOf(block, view.state, range, "each map has its own scale"));
  };
  show(0);
  return root;
}

/** The kernels: their mean over input channels where there are several. @param {any} kernel @param {any} view @param {any} layer */
function kernels(kernel, view, layer) {
  const block = meansOverInputs(kernel);
  const [[height, width, outputs], grid] = [block.shape, gridOf(block.shape, 16, 0, MAPS_AT_ONCE)];
  const inputs = kernel.data.length / block.data.length;
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `${grid.count} kernels` });
  const range = rangeOf(block.data);
  drawMaps(canvas, block, grid, () => range);
  canvas.style.width = `${Math.min(560, canvas.width * 8)}px`;
  watch(canvas, () => block, grid, "kernel", view.say, (unit) => view.go({ unit }));
  const all = grid.count < outputs ? `, the first ${grid.count} of ${outputs}` : "";
  const words = inputs > 1 ? `Kernels, ${height}×${width}, mean over their ${inputs.toLocaleString("en")} inputs${all}` : `Kernels, ${height}×${width}${all}`;
  return element("figure", {}, element("figcaption", {}, words), canvas, legend(range), numberFiles(`${view.network.name}-${layer.name}-kernel`, kernel));
}

/** The kernel's values now and before training, if step 0 is kept; those of one unit, or all. @param {any} view @param {any} layer @param {any} kernel @param {number | null} [unit] */
export async function trained(view, layer, kernel, unit = null) {
  const { network, client, state } = view;
  const before = network.steps.findIndex((/** @type {{name: string}} */ step) => step.name === "step 0");
  const outputs = kernel.shape[kernel.shape.length - 1];
  const own = (/** @type {Float32Array} */ values) => (unit === null ? values : values.filter((_, i) => i % outputs === unit));
  const sets = [{ name: network.steps[state.step]?.name || "trained", values: own(kernel.data) }];
  const source = convolutionOf(network.graph, layer.name);
  if (before >= 0 && source) {
    const [earlier] = await answerOf(view, state.network, { ask: "values", ids: [source.kernel] }, client, before);
    sets.push({ name: "untrained", values: own(earlier.data) });
  }
  const [low, high] = [sets[0].values.reduce(smaller, Infinity), sets[0].values.reduce(larger, -Infinity)];
  return histogram(`${unit === null ? "Weights" : "Its weights"}: share of values, now from ${numeral(low)} to ${numeral(high)}`, sets);
}

/** @param {number} a @param {number} b */
const smaller = (a, b) => Math.min(a, b);
/** @param {number} a @param {number} b */
const larger = (a, b) => Math.max(a, b);
