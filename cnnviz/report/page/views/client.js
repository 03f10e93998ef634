// Questions to the networks, which run in a worker, or in the page where there is none.

import { Server } from "../interpreter/server.js";
/** @typedef {{resolve: (answer: any) => void, reject: (reason: Error) => void}} Waiting */

export class Client {
  /** @param {string} source the worker's script @param {any[]} networks */
  constructor(source, networks) {
    this.networks = networks;
    /** @type {Set<string>} */
    this.sent = new Set();
    /** @type {Map<number, Waiting>} */
    this.waiting = new Map();
    this.count = 0;
    /** @type {Worker | null} */
    this.worker = null;
    this.server = new Server();
    try {
      this.worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
      this.worker.onmessage = (event) => this.settle(event.data);
      this.worker.onerror = () => this.withoutWorker();
    } catch {
      this.worker = null;
    }
  }

  /** Goes on in the page: what was asked is asked again there. */
  withoutWorker() {
    this.worker = null;
    this.sent.clear();
    for (const { reject } of this.waiting.values()) reject(new Error("The worker of this page has ended."));
    this.waiting.clear();
  }

  /** @param {{id: number, answer?: any, error?: string}} message */
  settle({ id, answer, error }) {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) waiting?.reject(new Error(error));
    else waiting?.resolve(answer);
  }

  /** @param {any} request @returns {Promise<any>} */
  send(request) {
    const { worker } = this;
    if (!worker) return Promise.resolve().then(() => this.server.answer(request));
    return new Promise((resolve, reject) => {
      const id = this.count++;
      this.waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...request });
    });
  }

  /** Asks a network, with the weights of a step; both are sent when they are first needed. @param {number} network @param {number} step @param {any} request */
  async ask(network, step, request) {
    const { graph, steps } = this.networks[network];
    const once = (/** @type {string} */ key, /** @type {any} */ message) => {
      if (this.sent.has(key)) return;
      this.sent.add(key);
      this.send(message);
    };
    once(`${network}`, { ask: "network", network, graph });
    once(`${network}/${step}`, { ask: "weights", network, step, entries: steps[step].entries, bytes: steps[step].bytes });
    return this.send({ network, step, ...request });
  }
}
