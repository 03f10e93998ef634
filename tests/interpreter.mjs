// Runs a network as the page does: `node interpreter.mjs FOLDER` reads job.json there and writes one file per answer.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as attribution from "../cnnviz/report/page/interpreter/attribution.js";
import { Network } from "../cnnviz/report/page/interpreter/network.js";

const folder = process.argv[2];
const job = JSON.parse(readFileSync(join(folder, "job.json"), "utf8"));
const bytes = (name) => new Uint8Array(readFileSync(join(folder, name)));
const network = new Network(job.graph);
network.program.load(job.entries, bytes("weights.bin"));
const size = network.imageShape.reduce((a, b) => a * b, 1);
const given = bytes("images.bin");
const images = [];
for (let start = 0; start < given.length; start += job.pixels ? size : 4 * size)
  images.push(
    job.pixels
      ? network.prepared(given.subarray(start, start + size))
      : new Float32Array(given.buffer, given.byteOffset + start, size),
  );

const targets = job.targets ?? [0];
const ofEach = (explain) => (image) => targets.flatMap((target) => Array.from(explain(network, image, target)));
const ANSWERS = {
  logits: (image) => network.logits(network.forward(image, job.changes)),
  layers: (image) => Object.values(network.layers(network.forward(image))).flatMap((layer) => Array.from(layer.data)),
  gradient: ofEach((...given) => attribution.gradient(...given).values),
  input_x_gradient: ofEach((...given) => attribution.inputTimesGradient(...given).values),
  grad_cam: ofEach((...given) => attribution.gradCam(...given, job.layer).values),
  integrated_gradients: ofEach(
    (...given) => attribution.integratedGradients(...given, new Float32Array(size), job.samples).values,
  ),
};
for (const name of job.answers) {
  const found = images.map((image) => Array.from(ANSWERS[name](image)));
  writeFileSync(join(folder, `${name}.bin`), new Uint8Array(Float32Array.from(found.flat()).buffer));
}
