// One's own picture: drawn with the pointer, erased, or a file that is dropped or chosen.

import { drawPixels, sidesOf } from "./maps.js";
import { element } from "./dom.js";

const MOST_BYTES = 40_000_000; // bytes of a file
const SIZE = 140; // pixels of the page that the canvas takes

const TOOLS = ["draw", "erase", "erase a box"];
const FILLS = { black: "by black", mean: "by its mean" };

/** @typedef {{root: HTMLElement, show: (pixels: Uint8Array) => void}} Pen */
/** @typedef {(pixels: Uint8Array, original: Uint8Array | null) => void} Changed `original` is the picture before a part of it was erased */

/** @param {number[]} shape @param {Changed} changed @param {(words: string) => void} say @returns {Pen} */
export function pen(shape, changed, say) {
  const sides = sidesOf(shape);
  const { height, width, channels } = sides;
  let [pixels, tool, fill] = [/** @type {Uint8Array} */ (new Uint8Array(height * width * channels)), TOOLS[0], "black"];
  let original = /** @type {Uint8Array | null} */ (null);
  let start = { x: 0, y: 0, pixels };
  const canvas = element("canvas", { class: "pen", tabindex: "0", role: "img", "aria-label": "The picture that the network sees: draw on it" });
  canvas.style.width = `${SIZE}px`;
  canvas.style.height = `${(SIZE * height) / width}px`;
  const radius = Math.max(1, Math.min(height, width) / 24);
  const back = element("button", { type: "button", hidden: true, onclick: () => given(original ?? pixels) }, "Put it back");
  const shown = (/** @type {Uint8Array} */ next, /** @type {Uint8Array | null} */ before) => {
    [pixels, original, back.hidden] = [next, before, !before];
    drawPixels(canvas, pixels, shape);
  };
  const given = (/** @type {Uint8Array} */ next) => {
    shown(next.slice(), null);
    changed(pixels.slice(), null);
  };
  const stroke = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const at = { x: ((event.clientX - box.left) / box.width) * width, y: ((event.clientY - box.top) / box.height) * height };
    if (event.type === "pointerdown") start = { ...at, pixels: pixels.slice() };
    const before = tool === "draw" ? original : original ?? start.pixels;
    const color = tool === "draw" ? new Array(channels).fill(255) : fill === "mean" ? meanOf(before ?? pixels, channels) : new Array(channels).fill(0);
    const next = tool === "erase a box" ? start.pixels.slice() : pixels.slice();
    if (tool === "erase a box") boxed(next, sides, start, at, color);
    else dab(next, sides, at, tool === "draw" ? radius : 2 * radius, color, tool === "draw");
    shown(next, before);
    changed(pixels.slice(), original);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) stroke(event);
  });
  const read = async (/** @type {File | undefined} */ file) => {
    if (!file) return;
    if (file.size > MOST_BYTES) return say(`${file.name} is too large: ${Math.round(file.size / 1e6)} MB, and ${MOST_BYTES / 1e6} MB are the most.`);
    try {
      given(await pixelsOf(file, sides));
      say(`${file.name} is shown, scaled to ${width} by ${height} pixels.`);
    } catch {
      say(`${file.name} is not a picture that this browser can read.`);
    }
  };
  const choose = element("input", { type: "file", accept: "image/*", onchange: () => read(choose.files?.[0]) });
  const fills = element("select", { "aria-label": "What erased pixels become", hidden: true, onchange: () => (fill = fills.value) }, ...Object.entries(FILLS).map(([name, words]) => element("option", { value: name }, words)));
  const tools = element("select", { "aria-label": "What the pointer does on the picture", onchange: () => {
    tool = tools.value;
    fills.hidden = tool === "draw";
  } }, ...TOOLS.map((name) => element("option", {}, name)));
  const row = element("div", { class: "tools" }, tools, fills, back,
    element("button", { type: "button", onclick: () => given(new Uint8Array(pixels.length)) }, "Clear"),
    element("button", { type: "button", onclick: () => given(pixels.map((value) => 255 - value)) }, "Invert"),
    element("label", { class: "file" }, "Open a picture", choose));
  const hint = element("p", { class: "hint" }, "Draw on it, or drop a picture: every layer follows. Erase a part to see what the probabilities rest on.");
  const root = element("div", { class: "pen-box" }, canvas, element("div", {}, row, hint));
  root.addEventListener("dragover", (event) => event.preventDefault());
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    read(event.dataTransfer?.files[0]);
  });
  return { root, show: (next) => shown(next.slice(), null) };
}

/** @typedef {{height: number, width: number, channels: number}} Sides */
/** @typedef {{x: number, y: number}} Point in pixels of the picture */

/** The mean of each channel. @param {Uint8Array} pixels @param {number} channels */
function meanOf(pixels, channels) {
  const sums = new Array(channels).fill(0);
  pixels.forEach((value, i) => (sums[i % channels] += value));
  return sums.map((sum) => Math.round((sum * channels) / pixels.length));
}

/** Fills the pixels that a box between two points touches. @param {Uint8Array} pixels @param {Sides} sides @param {Point} from @param {Point} to @param {number[]} color */
function boxed(pixels, { height, width, channels }, from, to, color) {
  const span = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ side) => [Math.max(0, Math.floor(Math.min(a, b))), Math.min(side - 1, Math.floor(Math.max(a, b)))];
  const [[top, bottom], [left, right]] = [span(from.y, to.y, height), span(from.x, to.x, width)];
  for (let i = top; i <= bottom; i++) for (let j = left; j <= right; j++) pixels.set(color, (i * width + j) * channels);
}

/** Gives the pixels around a point a color; a brush that brightens gives less at its rim, and leaves brighter pixels as they are. @param {Uint8Array} pixels @param {Sides} sides @param {Point} at @param {number} radius @param {number[]} color @param {boolean} brightens */
function dab(pixels, { height, width, channels }, at, radius, color, brightens) {
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) {
      const share = Math.min(Math.max(radius + 0.5 - Math.hypot(j + 0.5 - at.x, i + 0.5 - at.y), 0), 1);
      if (!share) continue;
      for (let c = 0; c < channels; c++) {
        const place = (i * width + j) * channels + c;
        if (brightens) pixels[place] = Math.max(pixels[place], color[c] * share);
        else if (share > 0.5) pixels[place] = color[c];
      }
    }
}

/** A file's picture in the size that the network takes: scaled to cover it, cropped around the middle. @param {File} file @param {Sides} sides */
async function pixelsOf(file, { height, width, channels }) {
  const bitmap = await createImageBitmap(file);
  const canvas = element("canvas", { width, height });
  const context = canvas.getContext("2d");
  if (!context) throw new Error("There is no canvas.");
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  const { data } = context.getImageData(0, 0, width, height);
  const gray = (/** @type {number} */ i) => 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
  return Uint8Array.from({ length: height * width * channels }, (_, i) => {
    const [place, c] = [4 * Math.floor(i / channels), i % channels];
    return channels < 3 ? gray(place) : data[place + Math.min(c, 3)];
  });
}
