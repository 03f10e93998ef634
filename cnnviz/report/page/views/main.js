// The page begins: its payload is read, and the networks that can run here are shown.

import { Client } from "./client.js";
import { element } from "./dom.js";
import { View } from "./view.js";

function start() {
  const text = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
  const payload = JSON.parse(text("payload"));
  const app = document.getElementById("app");
  const running = payload.networks.filter((/** @type {any} */ network) => network.graph);
  for (const { name, graph, missing } of payload.networks)
    if (!graph) document.querySelector("header")?.append(element("p", { class: "note" }, `${name} does not run in this page, which cannot compute ${missing.join(", ")}.`));
  if (!app || !running.length) return;
  app.hidden = false;
  for (const link of document.querySelectorAll("nav [hidden]")) link.removeAttribute("hidden");
  new View(app, payload, running, new Client(text("worker"), running), new Client(text("worker"), running)).begin();
}

start();
