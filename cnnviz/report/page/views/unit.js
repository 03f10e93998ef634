// A unit: its map, its kernel, what feeds it and what it feeds, and what is known of it over the data set.

import { acts, numberFiles, origin, quoted } from "./acts.js";
import { bars } from "./charts.js";
import { rangeOf } from "./colors.js";
import { element, numeral } from "./dom.js";
import { MOST_LINKS } from "./links.js";
import { drawMaps, drawPixels, everywhereOf, gridOf, legend, scaleOf } from "./maps.js";
import { trained } from "./layer.js";
import { logitsLayer, softmaxSteps } from "./softmax.js";
import { stepped } from "./stepped.js";
import { watch } from "./strip.js";
import { bytesOf } from "../interpreter/weights.js";
/** @typedef {import("./links.js").Links} Links */

const FEWEST = 32; // weights of a unit that a histogram is drawn of

/** @param {any} view @param {any} layer @param {any} block @param {any} kernel @param {(request: any) => Promise<any>} ask @param {Links | null} links */
export async function unitPage(view, layer, block, kernel, ask, links) {
  const [unit, channels] = [view.state.unit, layer.shape[layer.shape.length - 1]];
  const formula = element("div", { class: "stepped", "aria-live": "polite" });
  const isLogit = layer.name === logitsLayer(view.network);
  let turn = 0;
  const step = async (/** @type {number} */ row, /** @type {number} */ column) => {
    const own = ++turn;
    const found = await stepped(view.network.graph, layer.name, unit, row, column, ask);
    if (own === turn) formula.replaceChildren(found, ...(isLogit ? [softmaxSteps(view.network, view.forward, unit)] : []));
  };
  const { figure, own, grid, peak } = ownMap(view, layer, block, unit, step);
  const to = (/** @type {string} */ label, /** @type {number} */ next, /** @type {string} */ words) => element("button", { type: "button", "aria-label": words, onclick: () => view.go({ unit: (next + channels) % channels }) }, label);
  const title = element("div", { class: "heading" }, element("h2", {}, `${layer.name}, unit ${unit}`), element("span", { class: "facts" }, `of ${channels.toLocaleString("en")}${isLogit && view.network.classes[unit] ? `: the logit of ${view.network.classes[unit]}` : ""}`), to("←", unit - 1, "The unit before"), to("→", unit + 1, "The unit after"), switches(view));
  const parts = [figure, ...(kernel ? [ownKernel(view, layer, kernel, unit), ...(kernel.data.length / channels < FEWEST ? [] : [await trained(view, { name: links?.made ?? layer.name }, kernel, unit)])] : []), ...evidence(view, layer, unit), ...(links ? wiring(links, view) : []), ...others(view, layer, unit)];
  await step(...(grid.height * grid.width > 1 ? peak : /** @type {[number, number]} */ ([0, 0])));
  return element("section", { "aria-label": `Unit ${unit} of ${layer.name}`, id: "detail" }, title, element("div", { class: "maps" }, ...parts), formula, takeaway(view, layer, own, unit));
}

/** @param {any} view @param {any} layer @param {import("./maps.js").Block} own @param {number} unit */
function takeaway(view, layer, own, unit) {
  const { python, command } = origin(view);
  const expression = `probe.activations(net.model, net.variables, images, ${JSON.stringify(layer.name)}, prepare=net.prepare)[${JSON.stringify(layer.name)}][..., ${unit}]`;
  return acts(`${view.network.name}-${layer.name}-${unit}`, own, python(expression), command(`units RUN --layer ${quoted(layer.name)} --unit ${unit}`), view.say);
}

/** Its map, in which a value is shown step by step where the pointer is; at first the largest. @param {any} view @param {any} layer @param {any} block @param {number} unit @param {(row: number, column: number) => void} step */
function ownMap(view, layer, block, unit, step) {
  const channels = layer.shape[layer.shape.length - 1];
  const own = { data: Float32Array.from({ length: block.data.length / channels }, (_, i) => block.data[i * channels + unit]), shape: [...layer.shape.slice(0, -1), 1] };
  const everywhere = everywhereOf(view.forward.layers, view.state.clip);
  const [range, grid] = [scaleOf(block, view.state, everywhere)(unit), gridOf(own.shape, 1)];
  const canvas = element("canvas", { class: "map one", role: "img", "aria-label": `Map of unit ${unit}` });
  drawMaps(canvas, own, grid, () => range);
  canvas.style.width = grid.width * grid.height > 1 ? "224px" : "60px";
  watch(canvas, () => own, grid, `${layer.name}, unit ${unit}`, view.say, (_, row, column) => step(row, column));
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    step(Math.min(Math.floor(((event.clientY - box.top) / box.height) * grid.height), grid.height - 1), Math.min(Math.floor(((event.clientX - box.left) / box.width) * grid.width), grid.width - 1));
  });
  const largest = own.data.reduce((best, value, i) => (value > own.data[best] ? i : best), 0);
  const mean = own.data.reduce((a, b) => a + b, 0) / own.data.length;
  const words = own.data.length > 1 ? `On this picture: mean ${numeral(mean)}, largest ${numeral(own.data[largest])}` : `On this picture: ${numeral(own.data[0])}`;
  const figure = element("figure", { class: "small" }, element("figcaption", {}, words), canvas, legend(range, own.data));
  return { figure, own, grid, peak: /** @type {[number, number]} */ ([Math.floor(largest / grid.width), largest % grid.width]) };
}

/** What if the unit were off, or doubled? @param {any} view */
function switches(view) {
  const { layer, unit } = view.state;
  const [change] = view.changes;
  const set = (/** @type {string} */ label, /** @type {number} */ factor, /** @type {number} */ shift = 0) =>
    element("button", { type: "button", "aria-pressed": (change?.factor ?? 1) === factor && (change?.shift ?? 0) === shift, onclick: () => {
      view.changes = factor === 1 && !shift ? [] : [{ layer, channel: unit, factor, shift }];
      view.update();
    } }, label);
  return element("span", { class: "choice", role: "group", "aria-label": "What if" }, element("span", {}, "What if it is"), set("as it is", 1), set("off", 0), set("doubled", 2), set("negative", -1), set("1 more", 1, 1), set("1 less", 1, -1));
}

/** One channel of the kernel, for each input channel. @param {any} view @param {any} layer @param {any} kernel @param {number} unit */
function ownKernel(view, layer, kernel, unit) {
  const [height, width, inputs, outputs] = kernel.shape.length === 2 ? [1, 1, ...kernel.shape] : kernel.shape.slice(-4);
  const data = Float32Array.from({ length: height * width * inputs }, (_, i) => kernel.data[i * outputs + unit]);
  const shape = height * width > 1 ? [height, width, inputs] : [inputs];
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `Kernel of unit ${unit}` });
  const range = rangeOf(data);
  drawMaps(canvas, { data, shape }, gridOf(shape, Math.ceil(Math.sqrt(inputs))), () => range);
  canvas.style.width = inputs > 1 ? "200px" : "120px";
  const words = height * width > 1 ? `Kernel: ${height}×${width} for each of ${inputs.toLocaleString("en")} inputs` : `Weights of its ${inputs.toLocaleString("en")} inputs`;
  return element("figure", { class: "small" }, element("figcaption", {}, inputs > 1 ? words : `Kernel: ${height}×${width}`), canvas, legend(range), numberFiles(`${view.network.name}-${layer.name}-${unit}-kernel`, { data, shape }));
}

/** Class means, what is lost without it, and the images of the largest values. @param {any} view @param {any} layer @param {number} unit */
function evidence(view, layer, unit) {
  const { network, payload } = view;
  const [found, without] = [network.statistics[layer.name], network.ablation?.[layer.name]];
  const made = [];
  if (found?.top) {
    const tiles = found.top.images[unit].map((/** @type {number} */ image, /** @type {number} */ i) => tile(view, payload.pool[image], layer, found.top.places[unit][i], found.top.values[unit][i], `image ${image}`));
    made.push(element("figure", { class: "small" }, element("figcaption", {}, "Images with its largest values, and what the value sees"), element("div", { class: "tiles" }, ...tiles), numberFiles(`${network.name}-${layer.name}-${unit}-largest`, largestOf(found.top, unit))));
  }
  const byClass = (/** @type {number[]} */ values, /** @type {string} */ words, /** @type {(value: number) => string} */ text) => {
    const rows = values.map((value, i) => ({ name: network.classes[i] ?? String(i), value, text: text(value) }));
    const files = numberFiles(`${network.name}-${layer.name}-${unit}-${words.split(" ")[0].toLowerCase()}-by-class`, { data: values, shape: [values.length], names: rows.map(({ name }) => name) });
    const order = rows.length > 12 ? rows.sort((one, other) => Math.abs(other.value) - Math.abs(one.value)).slice(0, 12) : rows;
    made.push(element("figure", { class: "small" }, element("figcaption", {}, words + (rows.length > 12 ? ", the 12 largest" : "")), bars(words, order), files));
  };
  if (found?.classMeans) byClass(found.classMeans[unit], `Mean by class over ${found.images.toLocaleString("en")} images`, numeral);
  if (without) byClass(without.classes[unit], `Accuracy lost without it, by class, over ${without.images.toLocaleString("en")} images`, (value) => `${(100 * value).toFixed(1)} %`);
  return made;
}

/** A unit's largest values with their places, named by the numbers of the test images. @param {any} top @param {number} unit @returns {import("./acts.js").Numbers} */
export function largestOf(top, unit) {
  const [images, places] = [top.images[unit], top.places[unit]];
  const sides = places[0]?.length ?? 0;
  const columns = ["value", ...(sides === 2 ? ["row", "column"] : Array.from({ length: sides }, (_, axis) => `axis ${axis}`))];
  return { shape: [images.length, columns.length], data: images.flatMap((/** @type {number} */ _, /** @type {number} */ i) => [top.values[unit][i], ...places[i]]), names: images.map(String), columns };
}

/** @param {any} view @param {string} pixels @param {any} layer @param {number[]} place @param {number} value @param {string} title */
function tile(view, pixels, layer, place, value, title) {
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": title, title });
  if (pixels) drawPixels(canvas, bytesOf(pixels), view.shape);
  const [sides, sees] = [view.shape.slice(0, -1), layer.receptiveField];
  const box = element("span", { class: "patch" });
  if (sees && sides.length === 2 && place.length === 2 && sees.some((/** @type {number} */ size, /** @type {number} */ i) => size < sides[i])) {
    const [top, left, bottom, right] = [...[0, 1].map((i) => edge(place[i], layer.shape[i], sees[i], sides[i], -1)), ...[0, 1].map((i) => edge(place[i], layer.shape[i], sees[i], sides[i], 1))];
    Object.assign(box.style, { top: `${top}%`, left: `${left}%`, height: `${bottom - top}%`, width: `${right - left}%` });
  } else box.hidden = true;
  return element("span", { class: "tile" }, element("span", { class: "framed" }, canvas, box), numeral(value));
}

/** Where what a value sees begins (-1) or ends (1), in per cent of the image's side. @param {number} at @param {number} size @param {number} sees @param {number} side @param {number} sign */
function edge(at, size, sees, side, sign) {
  return (100 * Math.min(Math.max(((at + 0.5) * side) / size + (sign * sees) / 2, 0), side)) / side;
}

/** @param {Links} links @param {any} view */
function wiring(links, view) {
  const list = (/** @type {string} */ words, /** @type {string} */ name, /** @type {import("./links.js").Link[]} */ all) => {
    if (!all.length) return [];
    const found = all.slice(0, MOST_LINKS);
    const files = numberFiles(`${view.network.name}-${view.state.layer}-${view.state.unit}-${name}`, { shape: [all.length, 2], data: all.flatMap(({ weight, size }) => [weight, size]), names: all.map(({ layer, unit }) => `${layer}/${unit}`), columns: ["sum of weights", "sum of their sizes"] });
    const rows = found.map(({ layer, unit, weight }) => ({ name: `${layer}/${unit}`, value: weight, text: numeral(weight) }));
    return [element("figure", { class: "small" }, element("figcaption", {}, words), bars(words, rows, { choose: (row) => view.go({ layer: found[row].layer, unit: found[row].unit }) }), files)];
  };
  return [...list("Fed most by: sums of weights, in order of their sizes", "fed-by", links.into), ...list("Feeds most: sums of weights, in order of their sizes", "feeds", links.out)];
}

/** The nearest unit of each other network, if the networks were compared. @param {any} view @param {any} layer @param {number} unit */
function others(view, layer, unit) {
  const found = view.network.nearest?.[layer.name]?.[unit] ?? [];
  const rows = found.map((/** @type {any} */ each) => element("li", {}, element("button", { type: "button", class: "link", onclick: () => view.go({ network: each.network, layer: each.layer, unit: each.unit }) }, `${view.names[each.network]}: ${each.layer}/${each.unit}`), ` correlation ${numeral(each.correlation)}`));
  return rows.length ? [element("figure", { class: "small" }, element("figcaption", {}, "Nearest unit in the other network"), element("ul", {}, ...rows))] : [];
}
