// What is shown below the strips: a layer, or a unit of it.

import { otherView } from "./beside.js";
import { layerPage } from "./layer.js";
import { pairsOf } from "./pairs.js";
import { convolutionOf } from "./stepped.js";
import { unitPage } from "./unit.js";

/** @param {any} view @param {(request: any) => Promise<any>} ask @param {import("./links.js").Links | null} links @returns {Promise<HTMLElement[]>} */
export async function detail(view, ask, links) {
  const { state, network, forward } = view;
  const block = forward.layers.find((/** @type {{layer: string}} */ each) => each.layer === state.layer);
  if (!block) return [];
  const layer = network.layers.find((/** @type {{name: string}} */ each) => each.name === state.layer);
  const source = convolutionOf(network.graph, links?.made ?? state.layer);
  const [kernel] = source ? await ask({ ask: "values", ids: [source.kernel] }) : [];
  const made = [await (state.unit === null ? layerPage(view, layer, block, kernel) : unitPage(view, layer, block, kernel, ask, links))];
  const other = state.unit === null ? otherView(view) : null;
  if (other) made.push(...(await detail(other, (request) => view.ask(other.state.network, request), null)));
  return state.unit === null && view.ask ? [...made, ...(await pairsOf(view, state.layer))] : made;
}
