// What a person takes away from a picture: its numbers, and the expression or the command that gives it again.

import { element } from "./dom.js";
import { npzOf } from "./npz.js";
/**
 * @typedef {object} Numbers values in C order
 * @property {number[]} shape
 * @property {ArrayLike<number>} data
 * @property {string[]} [names] of what is along the first axis
 * @property {string[]} [columns] of what is along the second one of two
 * @property {string[]} [axes] what is along each axis; by default rows, columns and channels if there are three
 */

/** Buttons for the numbers of an array as files, and for two texts to copy. @param {string} name of the files @param {Numbers} numbers @param {string} python @param {string} command @param {(words: string) => void} say */
export function acts(name, numbers, python, command, say) {
  const made = numberFiles(name, numbers);
  made.append(copier("Copy the Python expression", python, say), ...(command ? [copier("Copy the command", command, say)] : []));
  return made;
}

/** Buttons for the numbers of an array as JSON, CSV and npz. @param {string} name of the files @param {Numbers} numbers */
export function numberFiles(name, numbers) {
  const { shape, data, names, columns, axes } = numbers;
  const json = () => save(name, "json", "application/json", JSON.stringify({ name, shape, axes, names, columns, values: Array.from(data) }));
  const csv = () => save(name, "csv", "text/csv", inRows(numbers));
  const npz = () => saveArrays(name, { values: { shape, data }, ...(names ? { names: { shape: [names.length], data: names } } : {}), ...(columns ? { columns: { shape: [columns.length], data: columns } } : {}) });
  const files = Object.entries({ JSON: json, CSV: csv, npz }).map(([kind, give]) => element("button", { type: "button", class: "link", "aria-label": `Numbers as ${kind}`, onclick: give }, kind));
  return element("p", { class: "acts" }, element("span", {}, "Numbers"), ...files);
}

/** Gives arrays by their names as one file that NumPy reads. @param {string} name @param {Record<string, import("./npz.js").Numbers>} arrays */
export function saveArrays(name, arrays) {
  save(name, "npz", "application/octet-stream", npzOf(arrays));
}

/** @param {string} label @param {() => void} act */
function action(label, act) {
  return element("button", { type: "button", onclick: act }, label);
}

/** @param {string} label @param {string} text @param {(words: string) => void} say */
export function copier(label, text, say) {
  return action(label, async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(`Copied: ${text}`);
    } catch {
      shown(label, text);
    }
  });
}

/** The text to copy by hand, where a browser does not let the page do it. @param {string} label @param {string} text */
function shown(label, text) {
  const area = element("textarea", { rows: 6, cols: 80, readonly: true }, text);
  const dialog = element("dialog", { "aria-label": label, onclose: () => dialog.remove() }, area, element("form", { method: "dialog" }, element("button", {}, "Close")));
  document.body.append(dialog);
  dialog.showModal();
  area.select();
}

/** A row for each value with its indices, or for each name with its columns. @param {Numbers} numbers */
export function inRows({ shape, data, names, columns, axes }) {
  if (names && shape.length <= 2) {
    const width = shape[1] ?? 1;
    const rows = names.map((name, i) => [cellOf(name), ...Array.from(data).slice(i * width, (i + 1) * width)].join());
    return [["name", ...(columns ?? ["value"])].map(cellOf).join(), ...rows, ""].join("\n");
  }
  const heads = axes ?? (shape.length === 3 ? ["row", "column", "channel"] : shape.map((_, axis) => `axis ${axis}`));
  const lines = Array.from(data, (value, i) => {
    const index = [];
    for (let axis = shape.length - 1, rest = i; axis >= 0; rest = Math.floor(rest / shape[axis--])) index.unshift(rest % shape[axis]);
    return [...index, value].join();
  });
  return [[...heads, "value"].join(), ...lines, ""].join("\n");
}

/** A text as a cell of CSV. @param {string} text */
function cellOf(text) {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {string} name @param {string} ending @param {string} type @param {string | Uint8Array<ArrayBuffer>} content */
function save(name, ending, type, content) {
  const file = `${name.replace(/[^\p{L}\p{N}_.@-]+/gu, "-")}.${ending}`;
  const link = element("a", { href: URL.createObjectURL(new Blob([content], { type })), download: file });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The lines that open a network and an image in Python, and what names both on the command line. @param {any} view */
export function origin(view) {
  const { network, state, payload } = view;
  const step = /^step (\d+)$/.exec(network.steps[state.step]?.name ?? "");
  const where = `${network.where || network.name}${step ? `:step_${step[1]}` : ""}`;
  const number = payload.shelf[state.image]?.number;
  const lines = ["from cnnviz import attribution, data, networks, probe", `net = networks.open(${JSON.stringify(where)}).first`];
  lines.push(number === undefined ? "images = ...  # the picture, uint8 [1, height, width, channels]" : `images = data.load(${JSON.stringify(network.dataset)}).test.images[${number}:${number + 1}]`);
  const image = number === undefined ? "" : ` --image ${number}`;
  return { python: (/** @type {string} */ expression) => [...lines, expression].join("\n"), command: (/** @type {string} */ words) => (network.where && number !== undefined ? `python visualize.py ${words.replace("RUN", quoted(where))}${image}` : "") };
}

/** A word of a shell. @param {string} text */
export function quoted(text) {
  return /^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The figures of the document below get the buttons that need a script. @param {(words: string) => void} say */
export function completeFigures(say) {
  for (const figure of document.querySelectorAll("figure[data-python]")) {
    const { python = "", command = "" } = /** @type {HTMLElement} */ (figure).dataset;
    figure.querySelector("figcaption")?.append(element("p", { class: "acts" }, copier("Copy the Python expression", python, say), ...(command ? [copier("Copy the command", command, say)] : [])));
  }
}
