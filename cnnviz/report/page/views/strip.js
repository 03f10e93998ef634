// The whole network on one screen: every layer with its maps, joined by lines, and the classes at the end.

import { planOf, railway, readsOf } from "./branches.js";
import { classList } from "./classes.js";
import { element, numeral } from "./dom.js";
import { foldedLayers } from "./folds.js";
import { drawMaps, everywhereOf, legendOf, scaleOf, sidesOf, valueAt } from "./maps.js";
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./maps.js").Block} Block */
/** @typedef {import("./folds.js").Entry} Entry */
/** @typedef {{layers: (Block & {layer: string})[], logits: number[], probabilities: number[]}} Forward */
/** @typedef {{go: (change: Partial<State>) => void, say: (words: string) => void, point: (layer: string, unit: number) => void, pixels: () => Uint8Array}} Acts */
/** @typedef {{name: string, root: HTMLElement, show: (block: Block, state: State, everywhere: import("./colors.js").Range) => void, place: (channel: number) => {x: number, y: number} | null}} Column */

const [TALL, WIDE, NARROW, GAP] = [480, 120, 68, 6]; // pixels of a column's maps, its least width, and between columns
const ZOOMS = [28, 20, 14, 10, 8, 6, 5, 4, 3, 2, 1, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8, 1 / 16];

/** How a layer's maps are laid out in the strip: as large as fits, all of them if that is possible. @param {number[]} shape */
export function columnGrid(shape) {
  const [{ height, width, channels }, gap] = [sidesOf(shape), shape.length > 1 ? 1 : 0];
  const most = gap ? WIDE : NARROW;
  const rows = (/** @type {number} */ zoom) => Math.max(1, Math.floor(TALL / ((height + gap) * zoom)));
  const fits = (/** @type {number} */ zoom) => Math.ceil(channels / rows(zoom)) * (width + gap) * zoom <= most;
  const zoom = ZOOMS.find(fits) ?? ZOOMS.find((each) => each <= 1 && (width + gap) * each <= most) ?? ZOOMS[ZOOMS.length - 1];
  const columns = Math.min(Math.ceil(channels / rows(zoom)), Math.max(1, Math.floor(most / ((width + gap) * zoom))));
  const count = Math.min(channels, columns * rows(zoom));
  return { zoom, grid: { rows: Math.ceil(count / columns), columns, height, width, first: 0, count, gap } };
}

/** The strip of a network; `show` draws what it computed of an image. @param {any} network @param {State} state @param {Acts} acts */
export function strip(network, state, acts) {
  const entries = foldedLayers(network, state.open);
  const names = entries.map(({ layer }) => layer.name);
  const columns = entries.map((entry) => column(network, entry, acts));
  const widths = [0, ...entries.map(({ layer }) => widthOf(layer.shape))];
  const middles = widths.map((width, i) => widths.slice(1, i).reduce((sum, each) => sum + each + GAP, 0) + width / 2);
  const plan = planOf(readsOf(network.graph, names), ["", ...names]);
  const total = middles[middles.length - 1] + widths[widths.length - 1] / 2;
  const inner = element("div", { class: "columns" }, ...columns.map(({ root }) => root));
  const links = element("div", { class: "links" });
  const scroller = element("div", { class: names.some((name) => name.includes("/")) ? "strip nested" : "strip", tabindex: "0", role: "group", "aria-label": `Layers of ${network.name}` },
    element("div", { class: "inside" }, railway(plan, middles, total, `${names.length} layers in order, and the branches between them`), inner, links));
  const ending = element("div", { class: "layer classes" });
  const show = (/** @type {Forward} */ forward, /** @type {State} */ now, /** @type {number[] | undefined} */ before) => {
    const blocks = new Map(forward.layers.map((block) => [block.layer, block]));
    const everywhere = everywhereOf(forward.layers, now.clip);
    for (const each of columns) each.show(/** @type {Block} */ (blocks.get(each.name)), now, everywhere);
    ending.replaceChildren(...classList(network, forward, now, acts, before));
  };
  const mark = (/** @type {string} */ name) => columns.forEach((each) => {
    const isNew = each.name === name && !each.root.classList.contains("chosen");
    each.root.classList.toggle("chosen", each.name === name);
    const [start, end] = [each.root.offsetLeft, each.root.offsetLeft + each.root.offsetWidth];
    if (isNew && (start < scroller.scrollLeft || end > scroller.scrollLeft + scroller.clientWidth)) scroller.scrollLeft = start - scroller.clientWidth / 3;
  });
  return { root: element("div", { class: "network" }, scroller, ending), columns, links, show, mark };
}

/** @param {number[]} shape */
function widthOf(shape) {
  const { zoom, grid } = columnGrid(shape);
  return Math.max(NARROW, Math.ceil(grid.columns * (grid.width + grid.gap) * zoom));
}

/** @param {any} network @param {Entry} entry @param {Acts} acts @returns {Column} */
function column(network, { layer, group, hidden }, { go, say, point }) {
  const { zoom, grid } = columnGrid(layer.shape);
  const channels = layer.shape[layer.shape.length - 1];
  const canvas = element("canvas", { class: "map", role: "img", "aria-label": `Maps of ${layer.name}` });
  const scale = element("div");
  /** @type {Block | null} */
  let block = null;
  watch(canvas, () => block, grid, layer.name, say, (channel) => go({ layer: layer.name, unit: channel }), (channel) => point(layer.name, channel));
  const dead = network.statistics[layer.name]?.dead.length ?? 0;
  const facts = [layer.shape.join("×"), layer.parameters ? `${layer.parameters.toLocaleString("en")} par.` : "", layer.receptiveField ? `sees ${layer.receptiveField.join("×")}` : ""];
  const lines = facts.filter(Boolean).map((fact) => element("span", {}, fact));
  if (dead) lines.push(element("span", { class: "dead" }, `${dead} dead`));
  if (channels > grid.count) lines.push(element("span", {}, `${grid.count} of ${channels.toLocaleString("en")}`));
  const name = element("button", { type: "button", class: "link", title: `${layer.name}: ${layer.kind}`, onclick: () => go({ layer: layer.name, unit: null }) }, ...partsOf(layer.name));
  const fold = group ? element("button", { type: "button", class: "fold", onclick: () => go({ fold: group }) }, hidden ? `+ ${hidden} more` : "− fold") : "";
  const root = element("div", { class: "layer" }, element("h4", {}, name), element("p", {}, ...lines), canvas, scale, fold);
  root.style.width = `${widthOf(layer.shape)}px`;
  const show = (/** @type {Block} */ found, /** @type {State} */ state, /** @type {import("./colors.js").Range} */ everywhere) => {
    block = found;
    const range = scaleOf(block, state, everywhere);
    drawMaps(canvas, block, grid, range);
    canvas.style.width = `${canvas.width * zoom}px`;
    scale.replaceChildren(legendOf(block, state, range, "own scales"));
  };
  const place = (/** @type {number} */ channel) => {
    const n = channel - grid.first;
    if (n < 0 || n >= grid.count) return null;
    const at = (/** @type {number} */ i, /** @type {number} */ side) => (i * (side + grid.gap) + side / 2) * zoom;
    return { x: canvas.offsetLeft + at(n % grid.columns, grid.width), y: canvas.offsetTop + at(Math.floor(n / grid.columns), grid.height) };
  };
  return { name: layer.name, root, show, place };
}

/** A path in two lines, of which the first is small. @param {string} name */
function partsOf(name) {
  const end = name.lastIndexOf("/") + 1;
  return end ? [element("small", {}, name.slice(0, end)), name.slice(end)] : [name];
}

/** Says the value under the pointer, and chooses its unit. @param {HTMLCanvasElement} canvas @param {() => Block | null} blockOf @param {import("./maps.js").Grid} grid @param {string} name @param {(words: string) => void} say @param {(channel: number, row: number, column: number) => void} choose @param {(channel: number) => void} [point] */
export function watch(canvas, blockOf, grid, name, say, choose, point = () => {}) {
  const under = (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return valueAt(grid, Math.floor((event.clientX - box.left) * scale), Math.floor((event.clientY - box.top) * scale));
  };
  canvas.addEventListener("mousemove", (event) => {
    const [found, block] = [under(event), blockOf()];
    if (!found || !block) return;
    point(found.channel);
    const channels = block.shape[block.shape.length - 1];
    const value = block.data[(found.row * grid.width + found.column) * channels + (channels === 1 ? 0 : found.channel)];
    say(`${name}[${block.shape.length > 1 ? `${found.row}, ${found.column}, ` : ""}${found.channel}] = ${numeral(value)}`);
  });
  canvas.addEventListener("click", (event) => {
    const found = under(event);
    if (found) choose(found.channel, found.row, found.column);
  });
}
