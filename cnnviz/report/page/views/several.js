// The methods by images: a row for each of the first images of the shelf, on demand.

import { numberFiles } from "./acts.js";
import { element, numeral, percent } from "./dom.js";
import { layerOf, mapDrawn, mapOf, methodsOf } from "./explained.js";
import { drawPixels } from "./maps.js";

const [IMAGES_SHOWN, CELL] = [8, 84]; // images, and pixels of the page that a map takes

/** Shows the part, unless it is there for what is shown. @param {any} view */
export function showSeveral(view) {
  const { network, step, layer } = view.state;
  const wanted = JSON.stringify([network, step, layer, view.changes]);
  if (wanted !== view.severalFor) view.parts.several.replaceChildren(...several(view));
  view.severalFor = wanted;
}

/** A part that, once it is opened, has the maps of several images by all methods. @param {any} view */
function several(view) {
  const images = view.images.slice(0, IMAGES_SHOWN);
  if (!images.length || !view.network.graph.gradient) return [];
  const methods = methodsOf(view);
  const head = ["Image", ...methods.map(({ name, title }) => (name === "grad_cam" ? `${title} of ${layerOf(view)}` : title))];
  const body = element("tbody", {});
  const table = element("table", { class: "several" }, element("caption", {}, "What the logit of each image's predicted class rests on; each map has a scale of its own, whose ends are below it."),
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))), body);
  const part = element("details", {}, element("summary", {}, `The first ${images.length} images by all methods`), element("div", { class: "wide", tabindex: "0" }, table));
  part.addEventListener("toggle", () => part.open && !body.children.length && fill(view, part, body, images, methods));
  return [part];
}

/** Adds a row at a time, until something else is shown in the part's place. @param {any} view @param {HTMLElement} part @param {HTMLElement} body @param {Uint8Array[]} images @param {any[]} methods */
async function fill(view, part, body, images, methods) {
  const layer = layerOf(view);
  /** @type {Map<string, import("./maps.js").Block[]>} */
  const maps = new Map(methods.map(({ name }) => [name, []]));
  for (const [i, pixels] of images.entries()) {
    const { probabilities } = await view.ask(view.state.network, { ask: "forward", pixels }, view.explainer);
    if (!part.isConnected) return;
    const target = probabilities.indexOf(Math.max(...probabilities));
    const row = element("tr", {}, imageOf(view, i, pixels, `${view.network.classes[target] ?? target}, ${percent(probabilities[target])}`));
    body.append(row);
    for (const method of methods) {
      const found = await mapOf(view, () => part.isConnected, { method: method.name, target, layer, pixels });
      if (!found) return;
      const { canvas, block, range } = mapDrawn(method, found, CELL);
      maps.get(method.name)?.push(block);
      row.append(element("td", {}, canvas, element("small", {}, range.high > range.low ? `${numeral(range.low)} to ${numeral(range.high)}` : "all zero")));
    }
  }
  const files = [...maps].map(([name, blocks]) => element("td", {}, numberFiles(`${view.network.name}-${name}-of-${blocks.length}-images`, stacked(blocks, view.payload.shelf))));
  body.after(element("tfoot", {}, element("tr", {}, element("th", { scope: "row" }, "All maps of a method"), ...files)));
}

/** Maps as one array, named by their images. @param {import("./maps.js").Block[]} blocks @param {{title: string}[]} shelf @returns {import("./acts.js").Numbers} */
export function stacked(blocks, shelf) {
  const sides = blocks[0].shape.slice(0, -1);
  const axes = ["image", ...(sides.length === 2 ? ["row", "column"] : sides.map((_, axis) => `axis ${axis}`))];
  return { shape: [blocks.length, ...sides], data: Float32Array.from(blocks.flatMap(({ data }) => Array.from(data))), names: blocks.map((_, i) => shelf[i].title), axes };
}

/** The image with what the network says; it leads to the image. @param {any} view @param {number} i @param {Uint8Array} pixels @param {string} said */
function imageOf(view, i, pixels, said) {
  const canvas = element("canvas", { class: "map", "aria-hidden": "true" });
  drawPixels(canvas, pixels, view.shape);
  canvas.style.width = `${CELL}px`;
  const { title } = view.payload.shelf[i];
  return element("th", { scope: "row" }, element("button", { type: "button", class: "link", title, "aria-label": title, onclick: () => view.go({ image: i }) }, canvas), element("small", {}, `says ${said}`));
}
