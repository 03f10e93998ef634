// Which node of a graph makes a value.

/** @typedef {{op: string, in: number[], out: number[], params: any}} Maker */

/** @type {WeakMap<object, Map<number, Maker>>} */
const knownMakers = new WeakMap();

/** The node of each value that is computed, by its number. @param {any} graph @returns {Map<number, Maker>} */
export function makersOf(graph) {
  let found = knownMakers.get(graph);
  if (!found) {
    found = new Map(graph.nodes.flatMap((/** @type {Maker} */ node) => node.out.map((id) => [id, node])));
    knownMakers.set(graph, found);
  }
  return found;
}
