// Which layers read which, and how that is drawn: a line for each way from one layer to the next, as in a railway map.

import { drawn } from "./dom.js";
import { makersOf } from "./makers.js";

const [STEP, BASE, BEND] = [12, 9, 14]; // pixels between lanes, from the edge to the lowest one, and of a bend

/** @typedef {{from: number, to: number, lane: number}} Edge columns of the strip, and the lane that the line runs in */
/** @typedef {{edges: Edge[], lanes: number[]}} Plan the lane of each column is that of its dot */

/** For each of the named layers, which of them it is computed from without another one between; "" is the image. @param {any} graph @param {string[]} names @returns {Map<string, string[]>} */
export function readsOf(graph, names) {
  const makers = makersOf(graph);
  const named = new Map([[graph.inputs.image, ""], ...names.map((name) => /** @type {[number, string]} */ ([graph.layers[name], name])).reverse()]);
  return new Map(names.map((name) => {
    const [found, seen, open] = [new Set(), new Set(), [...(makers.get(graph.layers[name])?.in ?? [])]];
    while (open.length) {
      const id = /** @type {number} */ (open.pop());
      if (seen.has(id)) continue;
      seen.add(id);
      if (named.has(id) && named.get(id) !== name) found.add(named.get(id));
      else open.push(...(makers.get(id)?.in ?? []));
    }
    return [name, [...found].filter((other) => names.includes(other) || other === "")];
  }));
}

/** The longest way to the last layer is the lowest lane; what leaves it has lanes of its own. @param {Map<string, string[]>} reads @param {string[]} names the image first, as "" @returns {Plan} */
export function planOf(reads, names) {
  const [place, main] = [new Map(names.map((name, i) => [name, i])), mainOf(reads, names)];
  /** @type {number[]} */
  const lanes = names.map((name) => (main.has(name) ? 0 : -1));
  /** @type {Edge[]} */
  const edges = [...reads].flatMap(([name, from]) => from.map((other) => ({ from: place.get(other) ?? 0, to: place.get(name) ?? 0, lane: 0 })));
  edges.sort((one, other) => one.to - one.from - (other.to - other.from));
  /** @type {[number, number][][]} */
  const taken = [];
  const free = (/** @type {number} */ low, /** @type {number} */ high) => {
    let lane = 0;
    while (taken[lane]?.some(([a, b]) => a < high && low < b)) lane++;
    (taken[lane] ??= []).push([low, high]);
    return lane + 1;
  };
  for (const i of lanes.keys()) {
    if (lanes[i] >= 0) continue;
    const before = edges.find(({ from, to }) => to === i && lanes[from] > 0);
    lanes[i] = before ? lanes[before.from] : free(i - 1, Math.max(i + 1, ...edges.filter(({ from }) => from === i).map(({ to }) => to)));
  }
  for (const edge of edges) {
    const between = lanes.slice(edge.from + 1, edge.to);
    edge.lane = Math.max(lanes[edge.from], lanes[edge.to]);
    if (between.includes(edge.lane)) edge.lane = free(edge.from, edge.to);
  }
  return { edges, lanes };
}

/** The layers on the longest way from the image to the last layer. @param {Map<string, string[]>} reads @param {string[]} names @returns {Set<string>} */
function mainOf(reads, names) {
  const depth = new Map([["", 0]]);
  for (const name of names) if (name) depth.set(name, 1 + Math.max(-1, ...(reads.get(name) ?? []).map((other) => depth.get(other) ?? 0)));
  const found = new Set();
  for (let at = /** @type {string | undefined} */ (names[names.length - 1]); at !== undefined && !found.has(at); ) {
    found.add(at);
    at = (reads.get(at) ?? []).slice().sort((one, other) => (depth.get(other) ?? 0) - (depth.get(one) ?? 0))[0];
  }
  return found;
}

/** The lines above the columns. @param {Plan} plan @param {number[]} middles where the columns' middles are @param {number} width @param {string} label */
export function railway({ edges, lanes }, middles, width, label) {
  const most = Math.max(...lanes, ...edges.map(({ lane }) => lane));
  const height = most * STEP + 2 * BASE;
  const y = (/** @type {number} */ lane) => height - BASE - lane * STEP;
  const paths = edges.map(({ from, to, lane }) => {
    const [x1, x2, y1, y2, run] = [middles[from], middles[to], y(lanes[from]), y(lanes[to]), y(lane)];
    const start = run === y1 ? `M${x1} ${y1}` : `M${x1} ${y1}C${x1 + BEND} ${y1} ${x1} ${run} ${x1 + BEND} ${run}`;
    const end = run === y2 ? `H${x2}` : `H${x2 - BEND}C${x2} ${run} ${x2 - BEND} ${y2} ${x2} ${y2}`;
    return drawn("path", { d: start + end, class: lane ? "rail branch" : "rail" });
  });
  const dots = middles.slice(1).map((x, i) => drawn("circle", { cx: x, cy: y(lanes[i + 1]), r: 3.5, class: "station" }));
  return drawn("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "railway", role: "img", "aria-label": label }, ...paths, ...dots);
}
