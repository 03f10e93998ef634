// The images to choose from, and the switch of the color scale.

import { choice, element } from "./dom.js";
import { drawPixels } from "./maps.js";
/** @typedef {import("./state.js").State} State */

/** @param {{title: string, group?: string}[]} images @param {Uint8Array[]} pixels @param {number[]} shape @param {(change: Partial<State>) => void} go */
export function shelfOf(images, pixels, shape, go) {
  const buttons = images.map(({ title }, i) => {
    const canvas = element("canvas", { "aria-hidden": "true" });
    drawPixels(canvas, pixels[i], shape);
    return element("button", { type: "button", title, "aria-label": title, onclick: () => go({ image: i }) }, canvas);
  });
  const groups = [...new Set(images.map(({ group }) => group ?? ""))];
  const parts = groups.map((group) => element("div", { class: "row-of", role: "group", "aria-label": group || "Images" },
    group ? element("span", { class: "row-name" }, group) : "", ...buttons.filter((_, i) => (images[i].group ?? "") === group)));
  const root = element("div", { class: "shelf" }, ...parts);
  const mark = (/** @type {number} */ chosen) => buttons.forEach((each, i) => each.setAttribute("aria-pressed", String(i === chosen)));
  return { root, mark };
}

/** @param {State} state @param {(change: Partial<State>) => void} go */
export function scaleSwitch(state, go) {
  const clip = element("label", { class: "clip", title: "The scale ends where the largest 1 % of the sizes begin; what is beyond is marked" }, element("input", { type: "checkbox", checked: state.clip, onchange: () => go({ clip: !state.clip }) }), " clip 1 %");
  return [choice("color scale of", ["unit", "layer", "global"], state.scale, (name) => go({ scale: name })), clip];
}
