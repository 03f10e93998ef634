// A deep network is folded by block: one column stands for all layers whose names begin alike, until it is opened.

/** @typedef {{layer: any, group: string, hidden: number}} Entry a column; a folded one has the number of layers that it hides */

const MOST_COLUMNS = 30; // columns of a folded strip, if its names allow that

/** The layers that have maps, each value once. @param {any} network @returns {any[]} */
export function allLayers(network) {
  return network.layers.filter((/** @type {any} */ layer) => !layer.repeats && layer.shape.length && layer.name in network.graph.layers);
}

/** The columns of the strip; `open` has the names of the blocks that are shown whole. @param {any} network @param {string[]} open @returns {Entry[]} */
export function foldedLayers(network, open) {
  const layers = allLayers(network);
  if (!network.isFolded) return layers.map((layer) => ({ layer, group: "", hidden: 0 }));
  const depth = depthOf(layers.map(({ name }) => name));
  const inside = new Set(layers.map(({ name }) => groupOf(name, depth)));
  const groups = layers.map(({ name }) => groupOf(name, depth) || (inside.has(name) ? name : "")); // a block's output has its name
  return layers.flatMap((layer, i) => {
    const [group, isLast] = [groups[i], groups[i] !== groups[i + 1]];
    const size = groups.filter((other) => other === group).length;
    if (!group || size < 2) return [{ layer, group: "", hidden: 0 }];
    if (open.includes(group)) return [{ layer, group: isLast ? group : "", hidden: 0 }];
    return isLast ? [{ layer, group, hidden: size - 1 }] : [];
  });
}

/** How many parts of a name make a block: as many as leave few enough columns. @param {string[]} names */
function depthOf(names) {
  const columns = (/** @type {number} */ depth) => new Set(names.map((name) => groupOf(name, depth) || name)).size;
  const deepest = Math.max(...names.map((name) => name.split("/").length));
  for (let depth = deepest - 1; depth > 1; depth--) if (columns(depth) <= MOST_COLUMNS) return depth;
  return 1;
}

/** @param {string} name @param {number} depth */
function groupOf(name, depth) {
  const parts = name.split("/");
  return parts.length > depth ? parts.slice(0, depth).join("/") : "";
}
