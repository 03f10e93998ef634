// One's own picture: drawn with the pointer, erased, or a file that is dropped or chosen.

import { drawPixels, sidesOf } from "./maps.js";
import { element } from "./dom.js";

const MOST_BYTES = 40_000_000; // bytes of a file
const SIZE = 140; // pixels of the page that the canvas takes

/** @typedef {{root: HTMLElement, show: (pixels: Uint8Array) => void}} Pen */

/** @param {number[]} shape @param {(pixels: Uint8Array) => void} changed @param {(words: string) => void} say @returns {Pen} */
export function pen(shape, changed, say) {
  const { height, width, channels } = sidesOf(shape);
  let pixels = new Uint8Array(height * width * channels);
  let isErasing = false;
  const canvas = element("canvas", { class: "pen", tabindex: "0", role: "img", "aria-label": "The picture that the network sees: draw on it" });
  canvas.style.width = `${SIZE}px`;
  canvas.style.height = `${(SIZE * height) / width}px`;
  const radius = Math.max(1, Math.min(height, width) / 24);
  const show = (/** @type {Uint8Array} */ given) => {
    pixels = given.slice();
    drawPixels(canvas, pixels, shape);
  };
  const stroke = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const at = { x: ((event.clientX - box.left) / box.width) * width, y: ((event.clientY - box.top) / box.height) * height };
    dab(pixels, { height, width, channels }, at, radius, isErasing);
    drawPixels(canvas, pixels, shape);
    changed(pixels.slice());
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) stroke(event);
  });
  const change = (/** @type {(value: number) => number} */ of) => {
    show(pixels.map(of));
    changed(pixels.slice());
  };
  const read = async (/** @type {File | undefined} */ file) => {
    if (!file) return;
    if (file.size > MOST_BYTES) return say(`${file.name} is too large: ${Math.round(file.size / 1e6)} MB, and ${MOST_BYTES / 1e6} MB are the most.`);
    try {
      show(await pixelsOf(file, { height, width, channels }));
      changed(pixels.slice());
      say(`${file.name} is shown, scaled to ${width} by ${height} pixels.`);
    } catch {
      say(`${file.name} is not a picture that this browser can read.`);
    }
  };
  const choose = element("input", { type: "file", accept: "image/*", onchange: () => read(choose.files?.[0]) });
  const eraser = element("input", { type: "checkbox", onchange: () => (isErasing = eraser.checked) });
  const tools = element("div", { class: "tools" },
    element("button", { type: "button", onclick: () => change(() => 0) }, "Clear"),
    element("button", { type: "button", onclick: () => change((value) => 255 - value) }, "Invert"),
    element("label", {}, eraser, " eraser"),
    element("label", { class: "file" }, "Open a picture", choose));
  const hint = element("p", { class: "hint" }, "Draw on it, or drop a picture: every layer follows.");
  const root = element("div", { class: "pen-box" }, canvas, element("div", {}, tools, hint));
  root.addEventListener("dragover", (event) => event.preventDefault());
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    read(event.dataTransfer?.files[0]);
  });
  return { root, show };
}

/** Brightens, or darkens, the pixels around a point, less at the rim. @param {Uint8Array} pixels @param {{height: number, width: number, channels: number}} sides @param {{x: number, y: number}} at @param {number} radius @param {boolean} erases */
function dab(pixels, { height, width, channels }, at, radius, erases) {
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) {
      const share = Math.min(Math.max(radius + 0.5 - Math.hypot(j + 0.5 - at.x, i + 0.5 - at.y), 0), 1);
      if (!share) continue;
      for (let c = 0; c < channels; c++) {
        const place = (i * width + j) * channels + c;
        pixels[place] = erases ? Math.min(pixels[place], 255 * (1 - share)) : Math.max(pixels[place], 255 * share);
      }
    }
}

/** A file's picture in the size that the network takes: scaled to cover it, cropped around the middle. @param {File} file @param {{height: number, width: number, channels: number}} sides */
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
