// The network: from pixels to layers, logits and probabilities, and what its gradient says of them.

import { Program } from "./program.js";
import { sizeOf } from "./tensors.js";
/** @typedef {import("./tensors.js").Tensor} Tensor */
/** @typedef {Map<number, Tensor>} Known */
/** @typedef {{layer: string, channel: number, factor: number, shift: number}} Change a channel's values become value * factor + shift */

export class Network {
  /** @param {import("./program.js").Graph} graph */
  constructor(graph) {
    this.program = new Program(graph);
    this.graph = graph;
    this.imageShape = this.program.shape(graph.inputs.image);
    this.classCount = sizeOf(this.program.shape(graph.logits));
    /** @type {{image: Float32Array, key: string, known: Known, slopes: Map<number, Known>} | null} */
    this.last = null;
  }

  /** The network's own preparation of pixels, 0 to 255. @param {ArrayLike<number>} pixels @returns {Float32Array} */
  prepared(pixels) {
    const { scale, mean, deviation } = this.graph.prepare;
    const channels = this.imageShape[this.imageShape.length - 1];
    const of = (/** @type {number[]} */ numbers, /** @type {number} */ i) => Math.fround(numbers[numbers.length > 1 ? i % channels : 0]);
    const divisor = Math.fround(1 / scale);
    const found = new Float32Array(pixels.length);
    for (let i = 0; i < found.length; i++) {
      found[i] = pixels[i] / divisor;
      if (mean.length) found[i] -= of(mean, i);
      if (deviation.length) found[i] /= of(deviation, i);
    }
    return found;
  }

  /** Takes these weights from now on. @param {import("./weights.js").Entry[]} entries @param {Uint8Array} bytes */
  load(entries, bytes) {
    this.program.load(entries, bytes);
    this.last = null;
  }

  /** All layers and the logits for a prepared image; `changes` are made to channels on the way. What was computed last is kept. @param {Float32Array} image @param {Change[]} [changes] @returns {Known} */
  forward(image, changes = []) {
    const key = JSON.stringify(changes);
    const { last } = this;
    if (last && last.key === key && last.image.every((value, i) => value === image[i])) return last.known;
    const known = this.given(image);
    const wanted = [...new Set([...Object.values(this.graph.layers), this.graph.logits])];
    this.program.run(known, wanted, this.editOf(changes));
    this.last = { image: image.slice(), key, known, slopes: new Map() };
    return known;
  }

  /** @param {Known} known @returns {Record<string, Tensor>} */
  layers(known) {
    const { layers, shapes } = this.graph;
    const entries = Object.entries(layers).map(([name, id]) => [name, { ...this.program.read(known, id), shape: shapes[name] }]);
    return Object.fromEntries(entries);
  }

  /** @param {Known} known */
  logits(known) {
    return /** @type {Float32Array} */ (this.program.read(known, this.graph.logits).data);
  }

  /** The gradient of a class's logit with respect to the image, and to the named layers. @param {Known} known @param {number} target @param {string[]} [layers] @param {Change[]} [changes] */
  gradient(known, target, layers = [], changes = []) {
    const { gradient, inputs } = this.graph;
    if (!gradient) throw new Error("The page cannot compute this network's gradient.");
    const slopes = this.last?.known === known ? this.last.slopes : new Map();
    if (!slopes.has(target)) {
      const direction = new Float32Array(this.classCount);
      direction[target] = 1;
      slopes.set(target, new Map(known).set(inputs.direction, this.program.tensor(inputs.direction, direction)));
    }
    const wanted = [gradient.image, ...layers.map((name) => gradient.layers[name])];
    return this.program.run(slopes.get(target), wanted, this.editOf(changes));
  }

  /** @param {Float32Array} image @returns {Known} */
  given(image) {
    const { inputs } = this.graph;
    return new Map([[inputs.image, this.program.tensor(inputs.image, image)]]);
  }

  /** @param {Change[]} changes @returns {import("./program.js").Edit | undefined} */
  editOf(changes) {
    if (!changes.length) return undefined;
    return (id, tensor) => {
      const own = changes.filter((change) => this.graph.layers[change.layer] === id);
      if (!own.length) return tensor;
      const [data, channels] = [tensor.data.slice(), tensor.shape[tensor.shape.length - 1]];
      for (const { channel, factor, shift } of own)
        for (let i = channel; i < data.length; i += channels) data[i] = data[i] * factor + shift;
      return { ...tensor, data };
    };
  }
}

/** What the network makes of its logits. @param {ArrayLike<number>} logits @param {string} ending */
export function probabilities(logits, ending) {
  const values = Array.from(logits);
  if (ending === "sigmoid") return values.map((x) => 1 / (1 + Math.exp(-x)));
  const largest = Math.max(...values);
  const exponentials = values.map((x) => Math.exp(x - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((x) => x / sum);
}
