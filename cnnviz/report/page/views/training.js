// How the network was trained: curves, and the kept steps, whose weights drive the whole page.

import { lines } from "./charts.js";
import { element } from "./dom.js";
/** @typedef {import("./state.js").State} State */

/** Shows the part, unless it is there for the network and the step. @param {any} view */
export function showTraining(view) {
  const wanted = JSON.stringify([view.state.network, view.state.step]);
  if (wanted !== view.trainedFor) view.parts.training.replaceChildren(training(view.network, view.state, (/** @type {Partial<State>} */ change) => view.go(change)));
  view.trainedFor = wanted;
}

/** @param {any} network @param {State} state @param {(change: Partial<State>) => void} go */
function training(network, state, go) {
  const section = element("section", { "aria-label": "Training" }, element("h2", {}, "Training"));
  if (network.steps.length > 1) section.append(slider(network, state, go));
  const names = network.history.length ? Object.keys(network.history[0]) : [];
  const kinds = ["loss", "accuracy"].map((kind) => names.filter((name) => name.endsWith(kind) && !name.includes("per_")));
  const charts = kinds.filter((found) => found.length).map((found, i) => {
    const curves = found.map((name) => ({ name: name.replaceAll("_", " ").replaceAll("val ", "validation "), dashed: !name.startsWith("train"), values: network.history.filter((/** @type {any} */ record) => name in record).map((/** @type {any} */ record) => [record.epoch, record[name]]) }));
    return lines(i ? "Accuracy" : "Loss", curves, "epoch");
  });
  if (!charts.length) section.append(element("p", {}, "There is no record of its training."));
  section.append(element("div", { class: "maps" }, ...charts));
  return section;
}

/** @param {any} network @param {State} state @param {(change: Partial<State>) => void} go */
function slider(network, state, go) {
  const steps = network.steps;
  const at = Math.min(state.step, steps.length - 1);
  const output = element("output", {}, steps[at].name);
  const input = element("input", { type: "range", min: 0, max: steps.length - 1, value: at, "aria-label": "Weights of which step",
    oninput: () => (output.textContent = steps[Number(input.value)].name), onchange: () => go({ step: Number(input.value) }) });
  return element("label", { class: "slider" }, "Weights of ", input, " ", output);
}
