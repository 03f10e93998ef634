// Charts as drawings in SVG: curves, histograms and bars.

import { numberFiles } from "./acts.js";
import { drawn, element, numeral } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [368, 150, 52, 24];

/** @typedef {{name: string, values: [number, number][], dashed?: boolean}} Curve */

/** Curves over a common axis, each named at its end by the legend below. @param {string} label @param {Curve[]} curves @param {string} axis */
export function lines(label, curves, axis) {
  const points = curves.flatMap(({ values }) => values);
  if (!points.length) return element("p", {}, "There are no numbers to draw.");
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys, 0), Math.max(...ys)];
  const place = (/** @type {[number, number]} */ [x, y]) =>
    `${LEFT + ((WIDTH - LEFT - 8) * (x - left)) / (right - left || 1)},${HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 10) * (y - low)) / (high - low || 1)}`;
  const paths = curves.map(({ values, dashed }, i) =>
    drawn("polyline", { points: values.map(place).join(" "), class: `curve curve-${i}${dashed ? " dashed" : ""}` }));
  const dots = curves.flatMap(({ values }, i) => (values.length === 1 ? [drawn("circle", { cx: place(values[0]).split(",")[0], cy: place(values[0]).split(",")[1], r: 3.5, class: `dot dot-${i}` })] : []));
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, class: "chart" }, ...frame(low, high, left, right, axis), ...paths, ...dots);
  const key = curves.map(({ name }, i) => element("span", { class: `key key-${i}` }, name));
  const rows = curves.flatMap(({ name, values }) => values.map(([x, y]) => ({ name, x, y })));
  const files = numberFiles(label, { shape: [rows.length, 2], data: rows.flatMap(({ x, y }) => [x, y]), names: rows.map(({ name }) => name), columns: [axis, "y"] });
  return element("figure", { class: "small" }, element("figcaption", {}, label), svg, element("p", { class: "keys" }, ...key), files);
}

/** Shares of two sets of values in common bins. @param {string} label @param {{name: string, values: ArrayLike<number>}[]} sets */
export function histogram(label, sets) {
  let [low, high] = [Infinity, -Infinity];
  for (const { values } of sets)
    for (let i = 0; i < values.length; i++) [low, high] = [Math.min(low, values[i]), Math.max(high, values[i])];
  const most = Math.max(...sets.map(({ values }) => values.length));
  const [bins, size] = [Math.min(40, Math.max(8, Math.round(1.5 * Math.sqrt(most)))), high - low || 1];
  const curves = sets.map(({ name, values }, i) => {
    const counts = new Array(bins).fill(0);
    for (let k = 0; k < values.length; k++) counts[Math.min(bins - 1, Math.floor(((values[k] - low) / size) * bins))]++;
    const steps = counts.flatMap((count, bin) => [[low + (bin * size) / bins, count / values.length], [low + ((bin + 1) * size) / bins, count / values.length]]);
    return { name, values: /** @type {[number, number][]} */ (steps), dashed: i > 0 };
  });
  return lines(label, curves, "value");
}

/** Bars with names and numbers, of which one may be marked. @param {string} label @param {{name: string, value: number, text: string, was?: number}[]} rows `was` is marked as an earlier value @param {{chosen?: number, most?: number, choose?: (row: number) => void}} [options] `most` is the value of a full bar */
export function bars(label, rows, { chosen = -1, choose, most = Math.max(...rows.map(({ value }) => Math.abs(value)), 1e-12) } = {}) {
  const made = rows.map(({ name, value, text, was }, i) => {
    const bar = element("span", { class: value < 0 ? "bar negative" : "bar" });
    bar.style.width = `${(100 * Math.abs(value)) / most}%`;
    const track = element("span", { class: "track" }, bar);
    if (was !== undefined && Math.abs(was - value) > most / 200) track.append(earlier((100 * was) / most));
    const parts = [element("span", { class: "name", title: name }, name), track, element("span", { class: "number" }, text)];
    return choose
      ? element("button", { type: "button", class: "row", "aria-pressed": i === chosen, onclick: () => choose(i) }, ...parts)
      : element("div", { class: "row" }, ...parts);
  });
  return element("div", { class: "bars", role: "group", "aria-label": label }, ...made);
}

/** @param {number} share of the track, in per cent */
function earlier(share) {
  const mark = element("span", { class: "was" });
  mark.style.left = `${share}%`;
  return mark;
}

/** @param {number} low @param {number} high @param {number} left @param {number} right @param {string} axis */
function frame(low, high, left, right, axis) {
  const text = (/** @type {string} */ words, /** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ anchor) =>
    drawn("text", { x, y, "text-anchor": anchor }, words);
  return [
    drawn("path", { d: `M${LEFT} 10V${HEIGHT - BOTTOM}H${WIDTH - 8}`, class: "axis" }),
    text(numeral(high), LEFT - 4, 16, "end"),
    text(numeral(low), LEFT - 4, HEIGHT - BOTTOM, "end"),
    text(numeral(left), LEFT, HEIGHT - 8, "start"),
    text(numeral(right), WIDTH - 8, HEIGHT - 8, "end"),
    text(axis, (WIDTH + LEFT) / 2, HEIGHT - 8, "middle"),
  ];
}
