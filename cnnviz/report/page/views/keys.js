// The keyboard: arrows over units, brackets over layers, digits for images, e for steps.

import { element } from "./dom.js";
import { foldedLayers } from "./folds.js";

const KEYS = [
  ["← →", "the unit before and after"],
  ["[ ]", "the layer before and after"],
  ["0 … 9", "an image of the shelf"],
  ["e", "the next of the kept steps"],
  ["n", "the next network"],
  ["s", "the next color scale"],
  ["c", "clip the largest 1 % of the values, or not"],
  ["Escape", "back to the strip"],
  ["?", "this help"],
];

/** @param {KeyboardEvent} event @param {any} view */
export function onKey(event, view) {
  const inside = event.target instanceof HTMLElement ? event.target : document.body;
  if (event.ctrlKey || event.altKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(inside.tagName)) return;
  const { state, network } = view;
  const layers = foldedLayers(network, state.open).map(({ layer }) => layer.name);
  const at = layers.indexOf(state.layer);
  const layer = network.layers.find((/** @type {{name: string}} */ each) => each.name === state.layer);
  const units = layer ? layer.shape[layer.shape.length - 1] : 0;
  const moved = (/** @type {number} */ by) => (state.unit === null ? (by > 0 ? 0 : units - 1) : (state.unit + by + units) % units);
  const scales = ["unit", "layer", "global"];
  if (event.key === "ArrowRight" && layer) view.go({ unit: moved(1) });
  else if (event.key === "ArrowLeft" && layer) view.go({ unit: moved(-1) });
  else if (event.key === "]") view.go({ layer: layers[(at + 1) % layers.length], unit: null });
  else if (event.key === "[") view.go({ layer: layers[(Math.max(at, 0) + layers.length - 1) % layers.length], unit: null });
  else if (/^\d$/.test(event.key) && Number(event.key) < view.images.length) view.go({ image: Number(event.key) });
  else if (event.key === "e") view.go({ step: (state.step + 1) % network.steps.length });
  else if (event.key === "n") view.go({ network: (state.network + 1) % view.networks.length, layer: "", unit: null });
  else if (event.key === "s") view.go({ scale: scales[(scales.indexOf(state.scale) + 1) % 3] });
  else if (event.key === "c") view.go({ clip: !state.clip });
  else if (event.key === "Escape") view.go({ layer: "", unit: null });
  else if (event.key === "?") help();
  else return;
  event.preventDefault();
}

function help() {
  const rows = KEYS.map(([key, words]) => element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, words)));
  const dialog = element("dialog", { "aria-label": "Keys", onclose: () => dialog.remove() },
    element("table", {}, element("tbody", {}, ...rows)),
    element("form", { method: "dialog" }, element("button", { autofocus: true }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}
