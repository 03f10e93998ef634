// The page: reads what it holds, shows the state that its address says, and follows the person.

import { Client } from "./client.js";
import { detail } from "./detail.js";
import { choice, element } from "./dom.js";
import { explained } from "./explained.js";
import { bytesOf } from "../interpreter/weights.js";
import { drawPixels } from "./maps.js";
import { onKey } from "./keys.js";
import { pen } from "./pen.js";
import { addressOf, stateOf } from "./state.js";
import { strip } from "./strip.js";
import { training } from "./training.js";
/** @typedef {import("./state.js").State} State */

function start() {
  const text = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
  const payload = JSON.parse(text("payload"));
  const app = document.getElementById("app");
  const running = payload.networks.filter((/** @type {any} */ network) => network.graph);
  for (const { name, graph, missing } of payload.networks)
    if (!graph) document.querySelector("header")?.append(element("p", { class: "note" }, `${name} does not run in this page, which cannot compute ${missing.join(", ")}.`));
  if (!app || !running.length) return;
  app.hidden = false;
  new View(app, payload, running, new Client(text("worker"), running)).begin();
}

class View {
  /** @param {HTMLElement} root @param {any} payload @param {any[]} networks @param {Client} client */
  constructor(root, payload, networks, client) {
    Object.assign(this, { root, payload });
    this.networks = networks;
    this.client = client;
    this.shape = networks[0].graph.values[networks[0].graph.inputs.image][0];
    /** @type {Uint8Array[]} */
    this.images = payload.shelf.map((/** @type {{pixels: string}} */ image) => bytesOf(image.pixels));
    this.titles = payload.shelf.map((/** @type {{title: string}} */ image) => image.title);
    this.own = new Uint8Array(this.shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1));
    this.names = networks.map(({ name }) => name);
    /** @type {State} */
    this.state = stateOf(location.hash, networks, this.images.length);
    /** @type {import("../interpreter/network.js").Change[]} */
    this.changes = [];
    this.status = element("p", { class: "status", role: "status" }, "Point at a value; click a map for its unit; press ? for keys.");
    this.say = (/** @type {string} */ words) => (this.status.textContent = words);
    this.parts = { shelf: element("div", { class: "shelf" }), controls: element("div", { class: "controls" }), strips: element("div"), detail: element("div"), explained: element("div") };
    this.pen = pen(this.shape, (pixels) => this.draw(pixels), this.say);
    this.turn = 0;
    this.explainedFor = "";
    this.busy = false;
    root.append(
      element("section", { class: "top", "aria-label": "Image" }, this.pen.root, element("div", { class: "choose" }, this.parts.controls, this.parts.shelf, this.status)),
      element("section", { "aria-label": "Network" }, this.parts.strips), this.parts.detail, this.parts.explained);
  }

  begin() {
    addEventListener("hashchange", () => {
      this.state = stateOf(location.hash, this.networks, this.images.length);
      this.update();
    });
    addEventListener("keydown", (event) => onKey(event, this));
    this.update();
  }

  get pixels() {
    return this.images[this.state.image] ?? this.own;
  }

  get network() {
    return this.networks[this.state.network];
  }

  /** Shows something else; the address says what. @param {Partial<State>} change */
  go(change) {
    const next = { ...this.state, ...change };
    if (change.layer !== undefined || change.unit !== undefined || change.network !== undefined) this.changes = [];
    const address = addressOf(next, this.names);
    if (address === location.hash) this.update();
    else location.hash = address;
  }

  /** The picture under the pen changes; the address stays while it is drawn. @param {Uint8Array} pixels */
  draw(pixels) {
    this.own = pixels;
    if (this.state.image !== -1) {
      this.state = { ...this.state, image: -1 };
      history.replaceState(null, "", addressOf(this.state, this.names));
    }
    this.update();
  }

  /** @param {number} network @param {any} request */
  ask(network, request) {
    const step = Math.min(this.state.step, this.networks[network].steps.length - 1);
    return this.client.ask(network, step, { pixels: this.pixels, changes: network === this.state.network ? this.changes : [], ...request });
  }

  /** Shows the state; while one is computed, only the newest of those that come waits. */
  async update() {
    this.turn++;
    if (this.busy) return;
    this.busy = true;
    try {
      for (let turn = -1; turn !== this.turn; ) {
        turn = this.turn;
        await this.showStrips();
        if (turn === this.turn) await this.showDetails();
      }
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    } finally {
      this.busy = false;
    }
  }

  async showStrips() {
    const { state } = this;
    const image = { pixels: this.pixels, shape: this.shape };
    if (state.image >= 0) this.pen.show(image.pixels);
    const go = (/** @type {number} */ network) => (/** @type {Partial<State>} */ change) => this.go({ network, ...change });
    const found = await Promise.all(this.networks.map((_, i) => this.ask(i, { ask: "forward" })));
    this.forward = found[state.network];
    const strips = this.networks.map((network, i) => {
      const kept = this.parts.strips.children[i]?.querySelector(".strip")?.scrollLeft ?? 0;
      const made = strip(network, found[i], i === state.network ? state : { ...state, layer: "" }, image, go(i), this.say);
      return { kept, made, block: element("div", {}, element("h3", {}, network.title), made) };
    });
    this.parts.strips.replaceChildren(...strips.map(({ block }) => block));
    for (const { kept, made } of strips) made.children[0].scrollLeft = kept;
    this.showControls();
    document.body.dataset.shown = addressOf(state, this.names);
  }

  async showDetails() {
    const { state, network, forward } = this;
    if (!forward) return;
    const predicted = forward.probabilities.indexOf(Math.max(...forward.probabilities));
    const ask = (/** @type {any} */ request) => this.ask(state.network, request);
    const target = state.target !== null && state.target < forward.probabilities.length ? state.target : predicted;
    this.parts.detail.replaceChildren(...(await detail(this, ask)));
    const explain = (/** @type {string} */ method, /** @type {string} */ layer) => ask({ ask: "explain", method, target, layer });
    const asked = JSON.stringify([state.network, state.image, state.step, target, state.layer, this.changes, state.image < 0 && this.turn]);
    if (asked !== this.explainedFor) this.parts.explained.replaceChildren(await explained(network, target, explain, state.layer), training(network, state, (change) => this.go(change)));
    this.explainedFor = asked;
    document.body.dataset.done = addressOf(state, this.names);
  }

  showControls() {
    const { state } = this;
    const scale = choice("scale", ["unit", "layer", "global"], state.scale, (name) => this.go({ scale: name }));
    this.parts.controls.replaceChildren(scale);
    if (this.parts.shelf.children.length !== this.images.length) this.parts.shelf.replaceChildren(...this.images.map((pixels, i) => this.thumbnail(pixels, i)));
    Array.from(this.parts.shelf.children).forEach((each, i) => each.setAttribute("aria-pressed", String(i === state.image)));
  }

  /** @param {Uint8Array} pixels @param {number} i */
  thumbnail(pixels, i) {
    const canvas = element("canvas", { "aria-hidden": "true" });
    drawPixels(canvas, pixels, this.shape);
    return element("button", { type: "button", title: this.titles[i], "aria-label": this.titles[i], onclick: () => this.go({ image: i }) }, canvas);
  }
}

start();
