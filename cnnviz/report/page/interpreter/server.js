// What the page asks of the networks: plain objects in, plain objects out, in a worker or without one.

import { gradCam, gradient, inputTimesGradient, partOfPath } from "./attribution.js";
import { Network, probabilities } from "./network.js";
import { bytesOf } from "./weights.js";
/** @typedef {import("./network.js").Change} Change */
/** @typedef {{layer: string, data: Float32Array, shape: number[]}} Maps */

const [STEPS_OF_PATH, PART_OF_PATH] = [16, 2];

export class Server {
  constructor() {
    /** @type {Map<number, Network>} */
    this.networks = new Map();
    /** @type {Map<string, Uint8Array>} */
    this.bytes = new Map();
    /** @type {Map<number, string>} */
    this.loaded = new Map();
    /** @type {Map<string, import("./weights.js").Entry[]>} */
    this.entries = new Map();
  }

  /** @param {any} request */
  answer(request) {
    if (request.ask === "network") return this.add(request);
    if (request.ask === "weights") return this.keep(request);
    const network = this.of(request);
    if (request.ask === "forward") return this.forward(network, request);
    if (request.ask === "explain") return this.explain(network, request);
    if (request.ask === "values") return this.values(network, request);
    throw new Error(`Unknown request ${request.ask}.`);
  }

  /** @param {{network: number, graph: any}} request */
  add({ network, graph }) {
    this.networks.set(network, new Network(graph));
    return true;
  }

  /** @param {{network: number, step: number, entries: any, bytes: string}} request */
  keep({ network, step, entries, bytes }) {
    const key = `${network}/${step}`;
    this.bytes.set(key, bytesOf(bytes));
    this.entries.set(key, entries);
    return true;
  }

  /** The network with the weights of the step. @param {{network: number, step: number}} request */
  of({ network, step }) {
    const [found, key] = [this.networks.get(network), `${network}/${step}`];
    const bytes = this.bytes.get(key);
    if (!found || !bytes) throw new Error(`Network ${network} at step ${step} is not there.`);
    if (this.loaded.get(network) !== key) found.load(this.entries.get(key) ?? [], bytes);
    this.loaded.set(network, key);
    return found;
  }

  /** All layers, logits and probabilities. @param {Network} network @param {{pixels: Uint8Array, changes?: Change[]}} request */
  forward(network, { pixels, changes = [] }) {
    const known = network.forward(network.prepared(pixels), changes);
    const logits = network.logits(known);
    const layers = Object.entries(network.layers(known)).map(([layer, { data, shape }]) => ({ layer, shape, data: Float32Array.from(data) }));
    return { layers, logits: Array.from(logits), probabilities: probabilities(logits, network.graph.ending) };
  }

  /** One map of a class; of integrated gradients a part, with the number of the first node of the next one. @param {Network} network @param {{pixels: Uint8Array, method: string, target: number, layer: string, changes?: Change[], first?: number}} request */
  explain(network, { pixels, method, target, layer, changes = [], first = 0 }) {
    const image = network.prepared(pixels);
    if (method === "grad_cam") return gradCam(network, image, target, layer, changes);
    if (method === "input_x_gradient") return inputTimesGradient(network, image, target, changes);
    if (method === "integrated_gradients") {
      const black = network.prepared(new Uint8Array(pixels.length));
      return { ...partOfPath(network, image, target, black, STEPS_OF_PATH, first, first + PART_OF_PATH), shape: network.imageShape, next: first + PART_OF_PATH < STEPS_OF_PATH ? first + PART_OF_PATH : null };
    }
    return gradient(network, image, target, changes);
  }

  /** Values of the graph by their numbers, such as a kernel, or what a convolution reads. @param {Network} network @param {{pixels: Uint8Array, ids: number[], changes?: Change[]}} request */
  values(network, { pixels, ids, changes = [] }) {
    const known = network.forward(network.prepared(pixels), changes);
    return network.program.run(known, ids).map(({ shape, data }) => ({ shape, data: Float32Array.from(data) }));
  }
}
