// The networks, in a worker of their own, so that the page stays quick while they compute.

import { Server } from "./interpreter/server.js";

const server = new Server();
self.onmessage = (event) => {
  const { id, ...request } = event.data;
  try {
    self.postMessage({ id, answer: server.answer(request) });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
