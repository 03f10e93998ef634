// How far a method's maps can be believed: metrics of its maps, and how far the maps of several seeds agree.

import { element, numeral } from "./dom.js";

/** What is known of a method, as elements; none if no command has measured it. @param {any} network @param {string} method */
export function evidenceOf(network, method) {
  const { metrics = [], agreement = null } = network.methods?.[method] ?? {};
  const made = [];
  if (agreement)
    made.push(element("p", { class: "formula" }, `Maps of ${agreement.seeds} seeds: rank correlation ${numeral(agreement.rank)}, and ${numeral(agreement.baseline)} with those of other images (${agreement.images} test images).`));
  if (metrics.length)
    made.push(element("table", { class: "evidence" }, element("caption", {}, `Mean over ${metrics[0].images} maps of test images, by default options, with its 95 % interval; ✓ is better than a map of edges`), element("tbody", {}, ...metrics.map(rowOf))));
  return made;
}

/** @param {any} metric */
function rowOf({ name, better, mean, low, high, isBetter }) {
  return element("tr", {}, element("th", { scope: "row" }, `${name.replaceAll("_", " ")} ${better === "higher" ? "↑" : "↓"}`),
    element("td", {}, `${numeral(mean)} (${numeral(low)} to ${numeral(high)})`), element("td", {}, isBetter ? "✓" : ""));
}
