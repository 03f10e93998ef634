// What the page shows, as its address says it: #run/layer/unit?image=3&step=0&class=2. The back button goes back.

/**
 * @typedef {object} State
 * @property {number} network
 * @property {string} layer
 * @property {number | null} unit
 * @property {number} image the number on the shelf; -1 for one's own
 * @property {number} step
 * @property {number | null} target the class that is explained; null for the predicted one
 * @property {string} scale
 * @property {boolean} clip whether the scale ends below the largest hundredth of the values, which are marked
 * @property {string[]} open the blocks of a folded network that are shown whole
 * @property {string} other another network's layer that is shown too, as its number/name; "" for none
 * @property {string} [fold] in a change: a block to open or to fold
 */

/** @param {State} state @param {string[]} names */
export function addressOf(state, names) {
  const place = [names[state.network], state.layer, state.unit === null ? "" : String(state.unit)].filter(Boolean);
  const asked = new URLSearchParams();
  if (state.image !== 0) asked.set("image", String(state.image));
  if (state.step !== 0) asked.set("step", String(state.step));
  if (state.target !== null) asked.set("class", String(state.target));
  if (state.scale !== "layer") asked.set("scale", state.scale);
  if (state.clip) asked.set("clip", "1");
  if (state.open.length) asked.set("open", state.open.map(encodeURIComponent).join());
  if (state.other) asked.set("with", state.other);
  const query = asked.toString();
  return `#${place.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

/** What an address means; what it does not say, or says wrongly, is as at the start. @param {string} address @param {any[]} networks @param {number} images @returns {State} */
export function stateOf(address, networks, images) {
  const [place, query = ""] = address.replace(/^#/, "").split("?");
  const parts = place.split("/").map(decoded);
  const asked = new URLSearchParams(query);
  const network = Math.max(networks.findIndex(({ name }) => name === parts[0]), 0);
  const found = networks[network].layers.find((/** @type {{name: string}} */ layer) => layer.name === parts[1]);
  const channels = found ? found.shape[found.shape.length - 1] : 0;
  const unit = wholeNumber(parts[2], channels);
  const target = wholeNumber(asked.get("class"), 1e6);
  const scale = asked.get("scale") ?? "layer";
  return {
    network,
    layer: found ? found.name : "",
    unit,
    image: asked.get("image") === "-1" ? -1 : wholeNumber(asked.get("image"), images) ?? 0,
    step: wholeNumber(asked.get("step"), networks[network].steps?.length ?? 1) ?? 0,
    target,
    scale: ["unit", "layer", "global"].includes(scale) ? scale : "layer",
    clip: asked.get("clip") === "1",
    other: asked.get("with") ?? "",
    open: (asked.get("open") ?? "").split(",").filter(Boolean).map(decoded),
  };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string | null | undefined} text @param {number} end */
function wholeNumber(text, end) {
  return text && /^\d+$/.test(text) && Number(text) < end ? Number(text) : null;
}
