// The networks, in a worker of their own, so that the page stays quick while they compute.

import { Server } from "./interpreter/server.js";

const server = new Server();
self.onmessage = (event) => {
  const { id, ...request } = event.data;
  try {
    const answer = server.answer(request);
    self.postMessage({ id, answer }, { transfer: copies(answer) });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};

/** The arrays of an answer, which are copies of its own: they need not be copied again. @param {any} answer @returns {ArrayBuffer[]} */
function copies(answer) {
  const parts = Array.isArray(answer) ? answer : (answer.layers ?? []);
  return parts.map((/** @type {{data: Float32Array}} */ { data }) => /** @type {ArrayBuffer} */ (data.buffer));
}
