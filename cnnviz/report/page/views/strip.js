// The whole network on one screen: the image, every layer with its maps, and the classes at the end.

import { bars } from "./charts.js";
import { element, numeral, percent } from "./dom.js";
import { drawMaps, drawPixels, gridOf, legend, scaleOf, valueAt } from "./maps.js";
import { rangeOf, widest } from "./colors.js";
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./maps.js").Block} Block */
/** @typedef {{layers: (Block & {layer: string})[], logits: number[], probabilities: number[]}} Forward */

const [MOST_MAPS, WIDEST] = [64, 128]; // of a layer in the strip, and pixels of its canvas
const CLASSES = 12; // that are listed

/** The layers that the strip has: each value once, and of a deep network the outermost ones. @param {any} network */
export function stripLayers(network) {
  const once = network.layers.filter((/** @type {any} */ layer) => !layer.repeats && layer.shape.length);
  return network.isFolded ? once.filter((/** @type {any} */ layer) => !layer.name.includes("/")) : once;
}

/** @param {any} network @param {Forward} forward @param {State} state @param {{pixels: Uint8Array, shape: number[]}} image @param {(change: Partial<State>) => void} go @param {(words: string) => void} say */
export function strip(network, forward, state, image, go, say) {
  const blocks = new Map(forward.layers.map((block) => [block.layer, block]));
  const everywhere = forward.layers.reduce((range, { data }) => widest(range, rangeOf(data)), { low: 0, high: 0 });
  const input = element("canvas", { class: "map", role: "img", "aria-label": "The image" });
  drawPixels(input, image.pixels, image.shape);
  input.style.width = "84px";
  const first = element("div", { class: "layer" }, element("h4", {}, "image"), element("p", {}, image.shape.join("×")), input);
  const columns = stripLayers(network).map((/** @type {any} */ layer) => {
    const block = blocks.get(layer.name);
    return block ? column(network, layer, block, state, everywhere, go, say) : "";
  });
  const layers = element("div", { class: "strip", tabindex: "0", role: "group", "aria-label": `Layers of ${network.name}` }, first, ...columns);
  return element("div", { class: "network" }, layers, classes(network, forward, state, go));
}

/** @param {any} network @param {any} layer @param {Block} block @param {State} state @param {import("./colors.js").Range} everywhere @param {(change: Partial<State>) => void} go @param {(words: string) => void} say */
function column(network, layer, block, state, everywhere, go, say) {
  const channels = layer.shape[layer.shape.length - 1];
  const isVector = layer.shape.length === 1;
  const columns = isVector ? 10 : Math.max(2, Math.round(Math.sqrt(Math.min(channels, MOST_MAPS) / 2)));
  const grid = gridOf(layer.shape, columns, 0, isVector ? 200 : MOST_MAPS);
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `Maps of ${layer.name}` });
  const range = scaleOf(block, state.scale, everywhere);
  drawMaps(canvas, block, grid, range);
  canvas.style.width = `${Math.min(WIDEST, canvas.width * (isVector ? 8 : 4))}px`;
  watch(canvas, block, grid, layer.name, say, (channel) => go({ layer: layer.name, unit: channel }));
  const dead = network.statistics[layer.name]?.dead.length ?? 0;
  const facts = [layer.shape.join("×"), layer.parameters ? `${layer.parameters.toLocaleString("en")} parameters` : "", layer.receptiveField ? `sees ${layer.receptiveField.join("×")}` : "", dead ? `${dead} dead` : ""];
  const more = channels > grid.count ? element("p", {}, `${grid.count} of ${channels}`) : "";
  const name = element("button", { type: "button", class: "link", "aria-pressed": layer.name === state.layer, onclick: () => go({ layer: layer.name, unit: null }) }, layer.name);
  const scale = state.scale === "unit" ? element("span", { class: "legend" }, "each its own scale") : legend(range(0));
  return element("div", { class: layer.name === state.layer ? "layer chosen" : "layer" }, element("h4", {}, name), element("p", {}, facts.filter(Boolean).join(", ")), canvas, scale, more);
}

/** Says the value under the pointer, and chooses its unit. @param {HTMLCanvasElement} canvas @param {Block} block @param {import("./maps.js").Grid} grid @param {string} name @param {(words: string) => void} say @param {(channel: number, row: number, column: number) => void} choose */
export function watch(canvas, block, grid, name, say, choose) {
  const under = (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return valueAt(grid, Math.floor((event.clientX - box.left) * scale), Math.floor((event.clientY - box.top) * scale));
  };
  canvas.addEventListener("mousemove", (event) => {
    const found = under(event);
    if (!found) return;
    const channels = block.shape[block.shape.length - 1];
    const value = block.data[(found.row * grid.width + found.column) * channels + found.channel];
    say(`${name}[${block.shape.length > 1 ? `${found.row}, ${found.column}, ` : ""}${found.channel}] = ${numeral(value)}`);
  });
  canvas.addEventListener("click", (event) => {
    const found = under(event);
    if (found) choose(found.channel, found.row, found.column);
  });
}

/** The classes by probability; a click explains one. @param {any} network @param {Forward} forward @param {State} state @param {(change: Partial<State>) => void} go */
function classes(network, forward, state, go) {
  const order = forward.probabilities.map((_, i) => i).sort((a, b) => forward.probabilities[b] - forward.probabilities[a]).slice(0, CLASSES);
  const rows = order.map((i) => ({ name: network.classes[i] ?? String(i), value: forward.probabilities[i], text: percent(forward.probabilities[i]) }));
  const chosen = order.indexOf(state.target ?? order[0]);
  const more = forward.probabilities.length > CLASSES ? element("p", {}, `the first ${CLASSES} of ${forward.probabilities.length}`) : "";
  const title = element("h4", {}, "probability");
  return element("div", { class: "layer classes" }, title, bars("Probabilities of classes", rows, { chosen, choose: (row) => go({ target: order[row] }) }), more);
}
