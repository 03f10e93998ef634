// Elements of the page. Texts are set as texts: nothing that a person named can become markup.

/** @typedef {Record<string, any>} Attributes */

/** An element with attributes, or listeners by names such as onclick, and children. @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {Attributes} [attributes] @param {...(Node | string)} children @returns {HTMLElementTagNameMap[T]} */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith("aria-")) made.setAttribute(name, String(value));
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** An element of a drawing. @param {string} tag @param {Attributes} attributes @param {...(Node | string)} children */
export function drawn(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** A row of buttons of which one is chosen. @param {string} label @param {string[]} names @param {string} chosen @param {(name: string) => void} choose */
export function choice(label, names, chosen, choose) {
  const button = (/** @type {string} */ name) =>
    element("button", { type: "button", "aria-pressed": name === chosen, onclick: () => choose(name) }, name);
  return element("span", { class: "choice", role: "group", "aria-label": label }, element("span", {}, label), ...names.map(button));
}

/** A number with four significant digits. @param {number} value */
export function numeral(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (value === 0) return "0";
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** A share as a percentage. @param {number} share */
export function percent(share) {
  return `${(100 * share).toFixed(share > 0.0995 ? 0 : 1)} %`;
}
