// What the view asks of its networks: weights once, and what the answers were before something was changed.

/** @typedef {import("./client.js").Client} Client */

const MOST_WEIGHTS = 60; // arrays of weights that are kept

/** What the network answers for the picture that is shown, with the weights of a step; weights are asked for once. @param {any} view @param {number} network @param {any} request @param {Client} client @param {number} [step] */
export async function answerOf(view, network, request, client, step = Math.min(view.state.step, view.networks[network].steps.length - 1)) {
  const { graph } = view.networks[network];
  const ask = (/** @type {any} */ own) => client.ask(network, step, { pixels: view.pixels, changes: network === view.state.network ? view.changes : [], ...own });
  if (request.ask !== "values") return ask(request);
  const key = (/** @type {number} */ id) => `${network}/${step}/${id}`;
  const isKept = (/** @type {number} */ id) => graph.weights.includes(id);
  const missing = request.ids.filter((/** @type {number} */ id) => !view.weights.has(key(id)));
  const found = missing.length ? await ask({ ...request, ids: missing }) : [];
  const values = new Map(missing.map((/** @type {number} */ id, /** @type {number} */ i) => [id, found[i]]));
  if (view.weights.size > MOST_WEIGHTS) view.weights.clear();
  for (const [id, value] of values) if (isKept(id)) view.weights.set(key(id), value);
  return request.ids.map((/** @type {number} */ id) => values.get(id) ?? view.weights.get(key(id)));
}

/** The probabilities that each network gave before a part was erased or a unit changed; none if nothing was. @param {any} view @returns {Promise<number[][]>} */
export async function answersBefore(view) {
  const { state, original, changes } = view;
  if (!original && !changes.length) return [];
  const key = JSON.stringify([state.step, state.image, original ? view.originalAt : state.image < 0 && view.stroke]);
  if (key !== view.beforeFor) view.before = await Promise.all(view.networks.map((/** @type {any} */ _, /** @type {number} */ i) => answerOf(view, i, { ask: "forward", pixels: original ?? view.pixels, changes: [] }, view.client)));
  view.beforeFor = key;
  return view.before.map((/** @type {{probabilities: number[]}} */ { probabilities }) => probabilities);
}
