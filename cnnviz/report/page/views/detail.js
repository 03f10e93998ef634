// A layer, or a unit of it, one level below the strip.

import { histogram, bars } from "./charts.js";
import { element, numeral } from "./dom.js";
import { drawMaps, drawPixels, gridOf, legend, scaleOf } from "./maps.js";
import { rangeOf } from "./colors.js";
import { convolutionOf, stepped } from "./stepped.js";
import { watch } from "./strip.js";
import { bytesOf } from "../interpreter/weights.js";

const PAGE = 256; // maps that are shown at once

/** What is shown below the strips for the state. @param {any} view @param {(request: any) => Promise<any>} ask @returns {Promise<HTMLElement[]>} */
export async function detail(view, ask) {
  const { state, network, forward } = view;
  const block = forward.layers.find((/** @type {{layer: string}} */ each) => each.layer === state.layer);
  if (!block) return [];
  const layer = network.layers.find((/** @type {{name: string}} */ each) => each.name === state.layer);
  const source = convolutionOf(network.graph, state.layer);
  const parts = source ? await ask({ ask: "values", ids: [source.kernel] }) : [];
  if (state.unit === null) return [await ofLayer(view, layer, block, parts[0])];
  return [await ofUnit(view, layer, block, parts[0], ask)];
}

/** @param {any} view @param {any} layer @param {any} block @param {any} kernel */
async function ofLayer(view, layer, block, kernel) {
  const { state, network } = view;
  const [range, channels] = [scaleOf(block, state.scale, rangeOf(block.data)), layer.shape[layer.shape.length - 1]];
  const grid = gridOf(layer.shape, layer.shape.length === 1 ? 25 : Math.min(16, Math.ceil(Math.sqrt(channels * 2))), 0, PAGE);
  const canvas = element("canvas", { class: "map large", role: "img", "aria-label": `${channels} maps of ${layer.name}` });
  drawMaps(canvas, block, grid, range);
  canvas.style.width = `${Math.min(900, canvas.width * (layer.shape.length === 1 ? 16 : 3))}px`;
  watch(canvas, block, grid, layer.name, view.say, (unit) => view.go({ unit }));
  const found = network.statistics[layer.name];
  const facts = found ? `Over ${found.images.toLocaleString("en")} images ${found.dead.length} of ${channels} units are zero everywhere${found.dead.length ? `: ${found.dead.slice(0, 20).join(", ")}${found.dead.length > 20 ? ", …" : ""}` : ""}.` : "";
  const made = [element("h3", {}, `${layer.name}: ${layer.kind}, ${layer.shape.join("×")}`), element("p", {}, facts), canvas, legend(range(0))];
  if (channels > PAGE) made.push(element("p", {}, `The first ${PAGE} of ${channels} maps; a unit's address is #${network.name}/${layer.name}/NUMBER.`));
  if (kernel) made.push(kernels(kernel, view), await trained(view, layer, kernel));
  return element("section", { "aria-label": `Layer ${layer.name}` }, ...made);
}

/** The kernels' first input channel, or all of them where the input is one image. @param {any} kernel @param {any} view */
function kernels(kernel, view) {
  const [height, width, inputs, outputs] = kernel.shape.slice(-4);
  const first = Float32Array.from({ length: height * width * outputs }, (_, i) => {
    const [place, o] = [Math.floor(i / outputs), i % outputs];
    let sum = 0;
    for (let c = 0; c < inputs; c++) sum += kernel.data[(place * inputs + c) * outputs + o] / inputs;
    return sum;
  });
  const [block, grid] = [{ data: first, shape: [height, width, outputs] }, gridOf([height, width, outputs], 16)];
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `${outputs} kernels` });
  const range = rangeOf(first);
  drawMaps(canvas, block, grid, () => range);
  canvas.style.width = `${Math.min(640, canvas.width * 8)}px`;
  watch(canvas, block, grid, "kernel", view.say, (unit) => view.go({ unit }));
  const words = inputs > 1 ? `Kernels, ${height}×${width}, mean over their ${inputs} input channels` : `Kernels, ${height}×${width}`;
  return element("figure", { class: "small" }, element("figcaption", {}, words), canvas, legend(range));
}

/** The kernel's values now and before training, if step 0 is kept. @param {any} view @param {any} layer @param {any} kernel */
async function trained(view, layer, kernel) {
  const { network, client, state } = view;
  const before = network.steps.findIndex((/** @type {{name: string}} */ step) => step.name === "step 0");
  const sets = [{ name: network.steps[state.step]?.name || "trained", values: kernel.data }];
  const source = convolutionOf(network.graph, layer.name);
  if (before >= 0 && source) {
    const [earlier] = await client.ask(state.network, before, { ask: "values", ids: [source.kernel], pixels: view.pixels });
    sets.push({ name: "untrained", values: earlier.data });
  }
  return histogram("Weights: share of values", sets);
}

/** @param {any} view @param {any} layer @param {any} block @param {any} kernel @param {(request: any) => Promise<any>} ask */
async function ofUnit(view, layer, block, kernel, ask) {
  const { state, network } = view;
  const [unit, channels] = [state.unit, layer.shape[layer.shape.length - 1]];
  const own = { data: Float32Array.from({ length: block.data.length / channels }, (_, i) => block.data[i * channels + unit]), shape: [...layer.shape.slice(0, -1), 1] };
  const range = scaleOf(block, state.scale, rangeOf(block.data))(unit);
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `Map of unit ${unit}` });
  const grid = gridOf(own.shape, 1);
  drawMaps(canvas, own, grid, () => range);
  canvas.style.width = "224px";
  const formula = element("div", { class: "stepped", "aria-live": "polite" });
  const step = async (/** @type {number} */ row, /** @type {number} */ column) => formula.replaceChildren(await stepped(network.graph, layer.name, unit, row, column, ask));
  watch(canvas, own, grid, `${layer.name}, unit ${unit}`, view.say, (_, row, column) => step(row, column));
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    step(Math.floor(((event.clientY - box.top) / box.height) * grid.height), Math.floor(((event.clientX - box.left) / box.width) * grid.width));
  });
  const map = element("figure", { class: "small" }, element("figcaption", {}, `Map on this image; mean ${numeral(own.data.reduce((a, b) => a + b, 0) / own.data.length)}`), canvas, legend(range));
  const title = element("h3", {}, `${layer.name}, unit ${unit} of ${channels}`);
  const parts = [map, ...(kernel ? [ownKernel(kernel, unit)] : []), ...evidence(view, layer, unit)];
  if (convolutionOf(network.graph, layer.name)) await step(Math.floor(grid.height / 2), Math.floor(grid.width / 2));
  return element("section", { "aria-label": `Unit ${unit} of ${layer.name}` }, title, switches(view), element("div", { class: "maps" }, ...parts), formula);
}

/** What if the unit were off, or doubled? @param {any} view */
function switches(view) {
  const { layer, unit } = view.state;
  const set = (/** @type {string} */ label, /** @type {number} */ factor) =>
    element("button", { type: "button", "aria-pressed": (view.changes[0]?.factor ?? 1) === factor, onclick: () => {
      view.changes = factor === 1 ? [] : [{ layer, channel: unit, factor, shift: 0 }];
      view.update();
    } }, label);
  return element("p", { class: "choice", role: "group", "aria-label": "What if" }, element("span", {}, "what if this unit is"), set("as it is", 1), set("off", 0), set("doubled", 2), set("negative", -1));
}

/** One channel of the kernel, for each input channel. @param {any} kernel @param {number} unit */
function ownKernel(kernel, unit) {
  const [height, width, inputs, outputs] = kernel.shape.slice(-4);
  const data = Float32Array.from({ length: height * width * inputs }, (_, i) => kernel.data[i * outputs + unit]);
  const shape = [height, width, inputs];
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `Kernel of unit ${unit}` });
  const range = rangeOf(data);
  drawMaps(canvas, { data, shape }, gridOf(shape, Math.ceil(Math.sqrt(inputs))), () => range);
  canvas.style.width = "180px";
  return element("figure", { class: "small" }, element("figcaption", {}, `Kernel: ${height}×${width} for each of ${inputs} input channels`), canvas, legend(range));
}

/** Class means, and the images of the largest values, over the data set. @param {any} view @param {any} layer @param {number} unit */
function evidence(view, layer, unit) {
  const { network, payload } = view;
  const found = network.statistics[layer.name];
  if (!found) return [];
  const made = [];
  if (found.classMeans) {
    const rows = found.classMeans[unit].map((/** @type {number} */ value, /** @type {number} */ i) => ({ name: network.classes[i] ?? String(i), value, text: numeral(value) }));
    made.push(element("figure", { class: "small" }, element("figcaption", {}, `Mean by class over ${found.images} images`), bars("Means by class", rows)));
  }
  if (found.top) {
    const tiles = found.top.images[unit].map((/** @type {number} */ image, /** @type {number} */ i) => tile(payload.pool[image], view.shape, found.top.values[unit][i], `image ${image}`));
    made.push(element("figure", { class: "small" }, element("figcaption", {}, "Images with its largest values"), element("div", { class: "tiles" }, ...tiles)));
  }
  return made;
}

/** @param {string} pixels @param {number[]} shape @param {number} value @param {string} title */
function tile(pixels, shape, value, title) {
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": title, title });
  drawPixels(canvas, bytesOf(pixels), shape);
  return element("span", {}, canvas, numeral(value));
}
