// What feeds a unit and what it feeds: the kernels that lead from units to units, as sums over their places.

import { drawn } from "./dom.js";
import { makersOf } from "./makers.js";
import { convolutionOf } from "./stepped.js";
/** @typedef {import("./stepped.js").Source} Source */
/** @typedef {{layer: string, unit: number, weight: number, size: number}} Link the sum of the weights, and of their sizes */
/** @typedef {{into: Link[], out: Link[], made: string | null}} Links what feeds it and what it feeds, the largest first, and the layer whose kernel it has */

export const MOST_LINKS = 6; // of each kind that are shown
const KEEPS = new Set("max min mul add sub div select_n clamp integer_pow logistic tanh erf exp log sqrt rsqrt square sign abs neg convert_element_type reduce_window_max reduce_window_sum reshape squeeze expand_dims broadcast_in_dim copy pad slice".split(" "));

/** The largest value that the walk back from one meets, of those that keep channels apart. @param {any} graph @param {number} from @param {(id: number) => boolean} isFound @returns {number | null} */
function walkedBack(graph, from, isFound) {
  const makers = makersOf(graph);
  const open = [from];
  for (const seen = new Set(); open.length; ) {
    const id = /** @type {number} */ (open.shift());
    if (isFound(id)) return id;
    const node = makers.get(id);
    if (!seen.has(id) && node && KEEPS.has(node.op)) open.push(...node.in);
    seen.add(id);
  }
  return null;
}

/** The layers with weights, and the layer of the strip whose units each one reads. @param {any} graph @param {string[]} names in order @returns {{layer: string, source: Source, reads: string}[]} */
export function weighted(graph, names) {
  const ids = new Map(names.map((name) => [graph.layers[name], name]));
  return names.flatMap((layer) => {
    const source = convolutionOf(graph, layer);
    const isKnown = (/** @type {number} */ id, /** @type {number} */ axes) => graph.shapes[ids.get(id) ?? ""]?.length >= axes;
    const from = source && (walkedBack(graph, source.input, (id) => isKnown(id, 2)) ?? walkedBack(graph, source.input, (id) => isKnown(id, 1)));
    return source ? [{ layer, source, reads: from === null ? "" : ids.get(from) ?? "" }] : [];
  });
}

/** The units that lead into a unit and out of it, those with the largest kernels first. @param {any} graph @param {string[]} names @param {string} layer @param {number} unit @param {(request: any) => Promise<any>} ask @returns {Promise<Links>} */
export async function linksOf(graph, names, layer, unit, ask) {
  const all = weighted(graph, names);
  const ids = new Map(all.map((each) => [graph.layers[each.layer], each]));
  const made = walkedBack(graph, graph.layers[layer], (id) => ids.has(id));
  const before = made === null ? undefined : ids.get(made);
  const channels = graph.shapes[layer][graph.shapes[layer].length - 1];
  const keeps = before && graph.shapes[before.layer][graph.shapes[before.layer].length - 1] === channels;
  const isRead = (/** @type {Source} */ source) => walkedBack(graph, source.input, (id) => id === graph.layers[layer]) !== null && inputsOf(graph, source) % channels === 0;
  const after = all.filter(({ source, layer: own }) => own !== layer && isRead(source));
  const [into, ...out] = await Promise.all([keeps && before ? incoming(graph, before, unit, ask) : [], ...after.map((each) => outgoing(each, unit, channels, ask))]);
  return { into, out: ranked(out.flat()), made: keeps && before ? before.layer : null };
}

/** How many values of the input each unit has weights for. @param {any} graph @param {Source} source */
function inputsOf(graph, source) {
  const shape = graph.values[source.kernel][0];
  return shape.slice(0, -1).reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
}

/** @param {any} graph @param {{source: Source, reads: string}} each @param {number} unit @param {(request: any) => Promise<any>} ask */
async function incoming(graph, { source, reads }, unit, ask) {
  const [kernel] = await ask({ ask: "values", ids: [source.kernel] });
  const outputs = kernel.shape[kernel.shape.length - 1];
  if (!reads || (source.params.feature_group_count ?? 1) !== 1) return [];
  const channels = graph.shapes[reads][graph.shapes[reads].length - 1];
  const found = Array.from({ length: channels }, (_, i) => ({ layer: reads, unit: i, weight: 0, size: 0 }));
  for (let i = 0; i < kernel.data.length / outputs; i++) addTo(found[i % channels], kernel.data[i * outputs + unit]);
  return ranked(found);
}

/** @param {{layer: string, source: Source}} each @param {number} unit @param {number} channels @param {(request: any) => Promise<any>} ask */
async function outgoing({ layer, source }, unit, channels, ask) {
  const [kernel] = await ask({ ask: "values", ids: [source.kernel] });
  const outputs = kernel.shape[kernel.shape.length - 1];
  if ((source.params.feature_group_count ?? 1) !== 1) return [];
  const found = Array.from({ length: outputs }, (_, i) => ({ layer, unit: i, weight: 0, size: 0 }));
  for (let i = unit; i < kernel.data.length / outputs; i += channels)
    for (let o = 0; o < outputs; o++) addTo(found[o], kernel.data[i * outputs + o]);
  return found;
}

/** @param {Link} link @param {number} weight */
function addTo(link, weight) {
  link.weight += weight;
  link.size += Math.abs(weight);
}

/** @param {Link[]} links */
function ranked(links) {
  return links.sort((one, other) => other.size - one.size);
}

/** Lines over the strip, from the unit to those: blue where the sum of the weights is positive, orange where it is negative. @param {HTMLElement} root @param {import("./strip.js").Column[]} columns @param {string} layer @param {number} unit @param {Links} found */
export function drawLinks(root, columns, layer, unit, { into, out }) {
  const placeOf = (/** @type {string} */ name, /** @type {number} */ channel) => columns.find((each) => each.name === name)?.place(channel);
  const here = placeOf(layer, unit);
  if (!here) return root.replaceChildren();
  const shown = [...into.slice(0, MOST_LINKS), ...out.slice(0, MOST_LINKS)];
  const largest = Math.max(...shown.map(({ size }) => size), 1e-12);
  const paths = shown.flatMap((link) => {
    const there = placeOf(link.layer, link.unit);
    if (!there) return [];
    const middle = (here.x + there.x) / 2;
    return [drawn("path", { d: `M${here.x} ${here.y}C${middle} ${here.y} ${middle} ${there.y} ${there.x} ${there.y}`, class: link.weight < 0 ? "wire negative" : "wire", "stroke-width": 0.8 + (2.4 * link.size) / largest })];
  });
  root.replaceChildren(drawn("svg", { class: "wires", width: root.parentElement?.scrollWidth ?? 0, height: root.parentElement?.scrollHeight ?? 0, "aria-hidden": "true" }, ...paths, drawn("circle", { cx: here.x, cy: here.y, r: 4, class: "here" })));
}
