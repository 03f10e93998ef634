// A graph that is computed node by node; what does not depend on an input is computed once for each set of weights.

import { OPERATIONS } from "./operations.js";
import { zeros } from "./tensors.js";
import { weightsOf } from "./weights.js";
/** @typedef {import("./tensors.js").Tensor} Tensor */
/** @typedef {import("./tensors.js").Kind} Kind */
/** @typedef {import("./tensors.js").Values} Values */
/** @typedef {{op: string, in: number[], out: number[], params: import("./tensors.js").Params}} Node */
/**
 * @typedef {object} Graph
 * @property {{image: number, direction: number}} inputs
 * @property {number[]} weights
 * @property {{id: number, values: (number | string)[]}[]} constants
 * @property {[number[], Kind][]} values the shape and kind of each value, by its number
 * @property {Node[]} nodes
 * @property {Record<string, number>} layers which value each layer is, perhaps with an axis of the one image before it
 * @property {Record<string, number[]>} shapes those of the layers for one image
 * @property {number} logits
 * @property {{image: number, layers: Record<string, number>} | null} gradient
 * @property {string} ending
 * @property {{scale: number, mean: number[], deviation: number[]}} prepare
 */
/** @typedef {(id: number, tensor: Tensor) => Tensor} Edit */

export class Program {
  /** @param {Graph} graph */
  constructor(graph) {
    this.graph = graph;
    /** @type {Map<number, Tensor>} */
    this.fixed = new Map();
    /** @type {Set<number>} */
    this.dependent = new Set(Object.values(graph.inputs));
    for (const node of graph.nodes)
      if (node.in.some((id) => this.dependent.has(id))) node.out.forEach((id) => this.dependent.add(id));
    /** @type {Map<string, Node[]>} */
    this.plans = new Map();
  }

  /** Takes these weights from now on. @param {import("./weights.js").Entry[]} entries @param {Uint8Array} bytes */
  load(entries, bytes) {
    this.fixed.clear();
    this.graph.weights.forEach((id, i) => this.fixed.set(id, this.tensor(id, weightsOf(entries[i], bytes, this.shape(id)))));
    for (const { id, values } of this.graph.constants) {
      const data = zeros(this.graph.values[id][1], values.length);
      values.forEach((value, i) => (data[i] = Number(value)));
      this.fixed.set(id, this.tensor(id, data));
    }
  }

  /** @param {number} id */
  shape(id) {
    return this.graph.values[id][0];
  }

  /** @param {number} id @param {Values} data @returns {Tensor} */
  tensor(id, data) {
    const [shape, kind] = this.graph.values[id];
    return { shape, kind, data };
  }

  /**
   * Computes the wanted values, and adds them and what they need to `known`, which holds the inputs. `edit` may return
   * another tensor in place of a value that depends on an input; all that is computed from it changes.
   * @param {Map<number, Tensor>} known @param {number[]} wanted @param {Edit} [edit]
   */
  run(known, wanted, edit) {
    for (const node of this.plan(wanted)) {
      const depends = this.dependent.has(node.out[0]);
      const values = depends ? known : this.fixed;
      if (values.has(node.out[0])) continue;
      const inputs = node.in.map((id) => this.read(known, id));
      const forms = node.out.map((id) => ({ shape: this.shape(id), kind: this.graph.values[id][1] }));
      const found = OPERATIONS[node.op](inputs, node.params, forms);
      node.out.forEach((id, i) => {
        const tensor = this.tensor(id, Array.isArray(found) ? found[i] : found);
        values.set(id, depends && edit ? edit(id, tensor) : tensor);
      });
    }
    return wanted.map((id) => this.read(known, id));
  }

  /** @param {Map<number, Tensor>} known @param {number} id @returns {Tensor} */
  read(known, id) {
    const tensor = known.get(id) ?? this.fixed.get(id);
    if (!tensor) throw new Error(`Value ${id} of the graph is not known: load its weights and give its inputs.`);
    return tensor;
  }

  /** The nodes that the wanted values need, in order. @param {number[]} wanted */
  plan(wanted) {
    const key = wanted.join();
    let plan = this.plans.get(key);
    if (!plan) {
      const live = new Set(wanted);
      plan = this.graph.nodes.filter(() => true).reverse().filter((node) => {
        const needed = node.out.some((id) => live.has(id));
        if (needed) node.in.forEach((id) => live.add(id));
        return needed;
      }).reverse();
      this.plans.set(key, plan);
    }
    return plan;
  }
}
