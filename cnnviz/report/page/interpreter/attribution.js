// Maps of what a class's logit rests on, computed from the network's own gradient graph.

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Change} Change */
/** @typedef {{values: Float32Array, shape: number[], gap: number | null}} Explanation raw values in the shape of the image, or of a layer's sides */

/** The gradient of the logit. @param {Network} network @param {Float32Array} image @param {number} target @param {Change[]} [changes] @returns {Explanation} */
export function gradient(network, image, target, changes = []) {
  const [found] = network.gradient(network.forward(image, changes), target, [], changes);
  return { values: /** @type {Float32Array} */ (found.data), shape: network.imageShape, gap: null };
}

/** The image times the gradient. @param {Network} network @param {Float32Array} image @param {number} target @param {Change[]} [changes] @returns {Explanation} */
export function inputTimesGradient(network, image, target, changes = []) {
  const { values } = gradient(network, image, target, changes);
  return { values: values.map((value, i) => value * image[i]), shape: network.imageShape, gap: null };
}

/**
 * Integrated gradients (Sundararajan et al., 2017, arXiv:1703.01365): image minus baseline, times the mean gradient on
 * the line between them by Gauss-Legendre's rule. `gap` is the sum of the map minus what the logit gains.
 * @param {Network} network @param {Float32Array} image @param {number} target @param {Float32Array} baseline @param {number} steps @returns {Explanation}
 */
export function integratedGradients(network, image, target, baseline, steps) {
  const { values, gain } = partOfPath(network, image, target, baseline, steps, 0, steps);
  return { values: Float32Array.from(values), shape: network.imageShape, gap: values.reduce((a, b) => a + b, 0) - gain };
}

/**
 * What the nodes from `first` up to `end` of the rule add to integrated gradients, and what the logit gains on the
 * whole path, so that a long one can be computed in parts.
 * @param {Network} network @param {Float32Array} image @param {number} target @param {Float32Array} baseline @param {number} steps @param {number} first @param {number} end
 */
export function partOfPath(network, image, target, baseline, steps, first, end) {
  const sum = new Float64Array(image.length);
  for (const [at, weight] of gaussLegendre(steps).slice(first, end)) {
    const { values } = gradient(network, image.map((x, i) => baseline[i] + at * (x - baseline[i])), target);
    for (let i = 0; i < sum.length; i++) sum[i] += weight * values[i];
  }
  const logit = (/** @type {Float32Array} */ x) => network.logits(network.forward(x))[target];
  return { values: sum.map((value, i) => value * (image[i] - baseline[i])), gain: logit(image) - logit(baseline) };
}

/**
 * Grad-CAM (Selvaraju et al., 2017, arXiv:1610.02391, eq. 1 and 2): the layer's maps weighted by their mean gradients,
 * summed, without the negative part.
 * @param {Network} network @param {Float32Array} image @param {number} target @param {string} layer @param {Change[]} [changes] @returns {Explanation}
 */
export function gradCam(network, image, target, layer, changes = []) {
  const known = network.forward(image, changes);
  const activation = network.layers(known)[layer];
  const [, slope] = network.gradient(known, target, [layer], changes);
  const channels = activation.shape[activation.shape.length - 1];
  const places = activation.data.length / channels;
  const weights = new Float64Array(channels);
  for (let i = 0; i < slope.data.length; i++) weights[i % channels] += slope.data[i] / places;
  const values = new Float32Array(places);
  for (let i = 0; i < activation.data.length; i++) values[Math.floor(i / channels)] += weights[i % channels] * activation.data[i];
  return { values: values.map((value) => Math.max(value, 0)), shape: activation.shape.slice(0, -1), gap: null };
}

/** Places in 0..1 and weights of Gauss-Legendre's rule. @param {number} count @returns {[number, number][]} */
export function gaussLegendre(count) {
  return Array.from({ length: count }, (_, i) => {
    let [x, slope] = [Math.cos((Math.PI * (i + 0.75)) / (count + 0.5)), 1];
    for (let turn = 0; turn < 20; turn++) {
      let [previous, value] = [0, 1];
      for (let n = 1; n <= count; n++) [previous, value] = [value, ((2 * n - 1) * x * value - (n - 1) * previous) / n];
      slope = (count * (x * value - previous)) / (x * x - 1);
      x -= value / slope;
    }
    return /** @type {[number, number]} */ ([(1 - x) / 2, 1 / ((1 - x * x) * slope * slope)]);
  });
}
