// The page's one state, and what follows from it: strips, then what is below them.

import { bytesOf } from "../interpreter/weights.js";
import { completeFigures } from "./acts.js";
import { beside, markNearest } from "./beside.js";
import { detail } from "./detail.js";
import { element } from "./dom.js";
import { explained } from "./explained.js";
import { allLayers } from "./folds.js";
import { onKey } from "./keys.js";
import { drawLinks, linksOf } from "./links.js";
import { pen } from "./pen.js";
import { answerOf, answersBefore } from "./questions.js";
import { showSeveral } from "./several.js";
import { scaleSwitch, shelfOf } from "./shelf.js";
import { addressOf, stateOf } from "./state.js";
import { strip } from "./strip.js";
import { showTraining } from "./training.js";
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./client.js").Client} Client */

const QUIET = 300; // milliseconds without a stroke, after which explanations are computed

export class View {
  /** @param {HTMLElement} root @param {any} payload @param {any[]} networks @param {Client} client @param {Client} explainer */
  constructor(root, payload, networks, client, explainer) {
    Object.assign(this, { root, payload });
    this.networks = networks;
    this.client = client;
    this.explainer = explainer;
    /** @type {number[]} */
    this.shape = networks[0].graph.values[networks[0].graph.inputs.image][0];
    /** @type {Uint8Array[]} */
    this.images = payload.shelf.map((/** @type {{pixels: string}} */ image) => bytesOf(image.pixels));
    /** @type {Uint8Array} */
    this.own = new Uint8Array(this.shape.reduce((a, b) => a * b, 1));
    this.names = networks.map(({ name }) => name);
    /** @type {State} */
    this.state = this.read();
    /** @type {import("../interpreter/network.js").Change[]} */
    this.changes = [];
    this.status = element("p", { class: "status", role: "status" }, "Point at a value to read it, click a map for its unit, draw on the picture. Keys: press ?");
    this.say = (/** @type {string} */ words) => (this.status.textContent = words);
    this.parts = { controls: element("div", { class: "controls" }), strips: element("div", { class: "strips" }), detail: element("div"), explained: element("div", { id: "section-attribution" }), several: element("div"), training: element("div", { id: "section-training" }) };
    /** @type {Uint8Array | null} the picture before a part of it was erased */
    this.original = null;
    this.originalAt = 0;
    this.beforeFor = "";
    this.pen = pen(this.shape, (pixels, original) => this.draw(pixels, original), this.say);
    this.shelf = shelfOf(payload.shelf, this.images, this.shape, (change) => this.go(change));
    /** @type {ReturnType<typeof strip>[]} */
    this.strips = [];
    /** @type {Map<string, any>} */
    this.weights = new Map();
    this.turn = 0;
    this.stroke = 0;
    this.structure = this.computed = this.scaled = this.explainedFor = this.severalFor = this.trainedFor = "";
    this.busy = false;
    root.append(
      element("section", { class: "choose", "aria-label": "Images" }, this.shelf.root, this.parts.controls),
      element("section", { class: "stage", id: "section-network", "aria-label": "Network" }, this.pen.root, this.parts.strips), this.status,
      this.parts.detail, this.parts.explained, this.parts.several, this.parts.training, element("div", { id: "section-beside" }, ...beside(this)));
    completeFigures(this.say);
  }

  read() {
    return stateOf(location.hash, this.networks, this.images.length);
  }

  begin() {
    addEventListener("hashchange", () => {
      if (document.getElementById(location.hash.slice(1))) return;
      this.state = this.read();
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
  go({ fold, ...change }) {
    const next = { ...this.state, ...change };
    if (change.layer !== undefined && change.other === undefined) next.other = "";
    if (fold) next.open = next.open.includes(fold) ? next.open.filter((name) => name !== fold) : [...next.open, fold];
    if (change.layer !== undefined || change.unit !== undefined || change.network !== undefined) this.changes = [];
    const address = addressOf(next, this.names);
    if (address === location.hash) this.update();
    else location.hash = address;
  }

  /** The picture under the pen changes; the address stays while it is drawn. @param {Uint8Array} pixels @param {Uint8Array | null} original the picture before a part of it was erased */
  draw(pixels, original) {
    const known = original ? -1 : this.images.findIndex((image) => image.every((value, i) => value === pixels[i]));
    if (known >= 0) return this.go({ image: known });
    this.own = pixels;
    this.stroke = performance.now();
    if (original !== this.original) this.originalAt = this.stroke;
    this.original = original;
    if (this.state.image !== -1) {
      this.state = { ...this.state, image: -1 };
      history.replaceState(null, "", addressOf(this.state, this.names));
    }
    this.update();
  }

  /** What the network answers for the picture that is shown. @param {number} network @param {any} request @param {Client} [client] */
  ask(network, request, client = this.client) {
    return answerOf(this, network, request, client);
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
        if (turn === this.turn) await this.showDetails(turn);
        if (turn === this.turn) await this.showExplained(turn);
      }
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    } finally {
      this.busy = false;
    }
  }

  /** Computes and draws only what has changed since the last time. */
  async showStrips() {
    const { state } = this;
    if (state.image >= 0) {
      this.pen.show(this.pixels);
      this.original = null;
    }
    const structure = state.open.join();
    if (structure !== this.structure || !this.strips.length) this.build();
    this.structure = structure;
    const wanted = JSON.stringify([state.image, state.step, state.network, this.changes, state.image < 0 && this.stroke]);
    const scaled = `${wanted}${state.scale}${state.clip}${state.target}`;
    const before = await answersBefore(this);
    if (wanted !== this.computed) this.found = await Promise.all(this.networks.map((_, i) => this.ask(i, { ask: "forward" })));
    this.forward = this.found?.[state.network];
    if (wanted !== this.computed || scaled !== this.scaled) this.strips.forEach((each, i) => each.show(this.found?.[i], state, before[i]));
    this.computed = wanted;
    this.scaled = scaled;
    this.strips.forEach((each, i) => each.mark(i === state.network ? state.layer : ""));
    this.parts.controls.replaceChildren(...scaleSwitch(state, (change) => this.go(change)));
    this.shelf.mark(state.image);
    document.body.dataset.shown = addressOf(state, this.names);
  }

  build() {
    const go = (/** @type {number} */ network) => (/** @type {Partial<State>} */ change) => this.go({ network, ...change });
    this.strips = this.networks.map((network, i) => strip(network, this.state, { go: go(i), say: this.say, point: (layer, unit) => markNearest(this, i, layer, unit), pixels: () => this.pixels }));
    this.computed = "";
    this.parts.strips.replaceChildren(...this.strips.map(({ root }, i) => (this.networks.length > 1 ? element("div", {}, element("h3", {}, this.networks[i].title), root) : root)));
  }

  /** @param {number} turn */
  async showDetails(turn) {
    const { state, network } = this;
    const ask = (/** @type {any} */ request) => this.ask(state.network, request);
    const links = state.unit === null ? null : await linksOf(network.graph, allLayers(network).map(({ name }) => name), state.layer, state.unit, ask);
    const made = await detail(this, ask, links);
    if (turn !== this.turn) return;
    this.parts.detail.replaceChildren(...made);
    this.strips.forEach((each, i) => {
      if (links && state.unit !== null && i === state.network) drawLinks(each.links, each.columns, state.layer, state.unit, links);
      else each.links.replaceChildren();
    });
    document.body.dataset.detailed = addressOf(state, this.names);
  }

  /** Explanations take longer: they wait for the pen, and are computed by another worker, so that nothing waits for them. @param {number} turn */
  async showExplained(turn) {
    const { state, forward } = this;
    while (performance.now() - this.stroke < QUIET) {
      await new Promise((resolve) => setTimeout(resolve, QUIET / 3));
      if (turn !== this.turn) return;
    }
    const target = state.target !== null && state.target < forward.probabilities.length ? state.target : forward.probabilities.indexOf(Math.max(...forward.probabilities));
    showTraining(this);
    const asked = JSON.stringify([state.network, state.image, state.step, target, state.layer, this.changes, state.image < 0 && this.stroke]);
    if (asked !== this.explainedFor) await explained(this, turn, target);
    if (turn !== this.turn) return;
    showSeveral(this);
    this.explainedFor = asked;
    document.body.dataset.done = addressOf(state, this.names);
  }
}
