// Convolutions and matrix products.

import { sizeOf, stridesOf, transposed, gathered, zeros } from "./tensors.js";
/** @typedef {import("./tensors.js").Operation} Operation */
/** @typedef {import("./tensors.js").Tensor} Tensor */
/** @typedef {import("./tensors.js").Values} Values */

/** Kernels in the order that the loops read, kept as long as the kernel is. @type {WeakMap<Values, Map<string, {data: Values, finite: boolean}>>} */
const prepared = new WeakMap();

/** @param {Tensor} tensor @param {number[]} order */
function inOrder(tensor, order) {
  const known = prepared.get(tensor.data) ?? new Map();
  prepared.set(tensor.data, known);
  const key = `${tensor.shape}|${order}`;
  if (!known.has(key)) {
    const data = transposed(tensor, order);
    known.set(key, { data, finite: data.every(Number.isFinite) });
  }
  return known.get(key);
}

/** Lengths, or parameters, of three sides: those there are, after as many of `filling` as are missing. @template T @param {T[]} given @param {T} filling @returns {T[]} */
function threeSides(given, filling) {
  if (given.length > 3) throw new Error(`A convolution has at most three sides; this one has ${given.length}.`);
  return [...new Array(3 - given.length).fill(filling), ...given];
}

/** @type {Operation} */
export const convolve = ([lhs, rhs], params, [form]) => {
  const [[n, c, ...sides], [o, i, ...window]] = [params.lhs_spec, params.rhs_spec];
  const [batch, feature, ...outSides] = params.out_spec;
  if (params.batch_group_count !== 1) throw new Error("A convolution over groups of images is not computed here.");
  const x = transposed(lhs, [n, ...sides, c]);
  const kernel = inOrder(rhs, [...window, i, o]);
  const lengths = (/** @type {number[]} */ shape, /** @type {number[]} */ axes) => threeSides(axes.map((axis) => shape[axis]), 1);
  const y = new Float32Array(sizeOf(form.shape));
  const job = {
    x, y, kernel: kernel.data, skips: kernel.finite, chosen: new Int32Array(lhs.shape[c]), images: lhs.shape[n], inputs: lhs.shape[c], outputs: rhs.shape[o],
    perGroup: rhs.shape[i], groups: params.feature_group_count, from: lengths(lhs.shape, sides),
    to: lengths(form.shape, outSides), window: lengths(rhs.shape, window), strides: threeSides(params.window_strides, 1),
    low: threeSides(params.padding.map((/** @type {number[]} */ pair) => pair[0]), 0),
    base: threeSides(params.lhs_dilation, 1), dilation: threeSides(params.rhs_dilation, 1),
  };
  everyWindow(job);
  const order = [batch, ...outSides, feature];
  const own = stridesOf(order.map((axis) => form.shape[axis]));
  const back = form.shape.map((_, axis) => own[order.indexOf(axis)]);
  const stays = order.every((axis, i) => axis === i);
  return stays ? y : gathered({ shape: form.shape, kind: "float32", data: y }, form.shape, back);
};

/** @typedef {{x: Values, y: Float32Array, kernel: Values, skips: boolean, chosen: Int32Array, images: number, inputs: number, outputs: number, perGroup: number, groups: number, from: number[], to: number[], window: number[], strides: number[], low: number[], base: number[], dilation: number[]}} Job */

/** Adds, for every place of the output and every place of the window, the products of that pixel. @param {Job} job */
function everyWindow(job) {
  const { images, from, to, window, inputs, outputs, perGroup } = job;
  const add = job.groups === 1 ? addPixel : perGroup === 1 ? addPixelByChannel : addPixelByGroup;
  const places = [0, 1, 2].map((side) => placesOf(job, side));
  for (let n = 0; n < images; n++)
    for (let a = 0; a < to[0]; a++)
      for (let b = 0; b < to[1]; b++)
        for (let c = 0; c < to[2]; c++) {
          const y = (((n * to[0] + a) * to[1] + b) * to[2] + c) * outputs;
          for (let i = 0; i < window[0]; i++) {
            const p = places[0][a * window[0] + i];
            if (p < 0) continue;
            for (let j = 0; j < window[1]; j++) {
              const q = places[1][b * window[1] + j];
              if (q < 0) continue;
              for (let k = 0; k < window[2]; k++) {
                const r = places[2][c * window[2] + k];
                if (r < 0) continue;
                const x = (((n * from[0] + p) * from[1] + q) * from[2] + r) * inputs;
                add(job, x, ((i * window[1] + j) * window[2] + k) * perGroup * outputs, y);
              }
            }
          }
        }
}

/** Which input place each window's value is at along one side; -1 for padding. @param {Job} job @param {number} side */
function placesOf(job, side) {
  const [size, base] = [job.window[side], job.base[side]];
  return new Int32Array(job.to[side] * size).map((_, i) => {
    const at = Math.floor(i / size) * job.strides[side] - job.low[side] + (i % size) * job.dilation[side];
    return at < 0 || at % base !== 0 || at / base >= job.from[side] ? -1 : at / base;
  });
}

/**
 * All channels of one pixel. After a ReLU many are zero, and add nothing; others go four at a time, so that a sum is
 * read and written once for four products.
 * @param {Job} job @param {number} x @param {number} k @param {number} y
 */
function addPixel(job, x, k, y) {
  const { x: input, kernel, y: output, inputs, outputs, skips, chosen } = job;
  let count = 0;
  for (let c = 0; c < inputs; c++) if (!skips || input[x + c] !== 0) chosen[count++] = c;
  let n = 0;
  for (; n + 4 <= count; n += 4) {
    const [a, b, c, d] = [chosen[n], chosen[n + 1], chosen[n + 2], chosen[n + 3]];
    const [p, q, r, s] = [input[x + a], input[x + b], input[x + c], input[x + d]];
    const [ka, kb, kc, kd] = [k + a * outputs, k + b * outputs, k + c * outputs, k + d * outputs];
    for (let o = 0; o < outputs; o++)
      output[y + o] += p * kernel[ka + o] + q * kernel[kb + o] + r * kernel[kc + o] + s * kernel[kd + o];
  }
  for (; n < count; n++) {
    const [value, row] = [input[x + chosen[n]], k + chosen[n] * outputs];
    for (let o = 0; o < outputs; o++) output[y + o] += value * kernel[row + o];
  }
}

/** Each output channel reads one input channel. @param {Job} job @param {number} x @param {number} k @param {number} y */
function addPixelByChannel(job, x, k, y) {
  const { x: input, kernel, y: output, inputs, outputs } = job;
  const multiple = outputs / inputs;
  for (let c = 0, o = 0; c < inputs; c++)
    for (let m = 0; m < multiple; m++, o++) output[y + o] += input[x + c] * kernel[k + o];
}

/** Each group of output channels reads its group of input channels. @param {Job} job @param {number} x @param {number} k @param {number} y */
function addPixelByGroup(job, x, k, y) {
  const { x: input, kernel, y: output, outputs, perGroup, groups } = job;
  const size = outputs / groups;
  for (let g = 0; g < groups; g++)
    for (let c = 0; c < perGroup; c++) {
      const value = input[x + g * perGroup + c];
      const row = k + c * outputs + g * size;
      for (let o = 0; o < size; o++) output[y + g * size + o] += value * kernel[row + o];
    }
}

/** A product that sums over axes of both arrays: axes in common first, then those of the one, then of the other. @type {Operation} */
export const dotGeneral = ([lhs, rhs], params, [form]) => {
  const [[contractL, contractR], [batchL, batchR]] = [params.contract, params.batch];
  const free = (/** @type {Tensor} */ tensor, /** @type {number[]} */ taken) =>
    tensor.shape.map((_, axis) => axis).filter((axis) => !taken.includes(axis));
  const [freeL, freeR] = [free(lhs, [...contractL, ...batchL]), free(rhs, [...contractR, ...batchR])];
  const length = (/** @type {Tensor} */ tensor, /** @type {number[]} */ axes) => sizeOf(axes.map((axis) => tensor.shape[axis]));
  const a = transposed(lhs, [...batchL, ...freeL, ...contractL]);
  const { data: b, finite } = inOrder(rhs, [...batchR, ...contractR, ...freeR]);
  const [batches, rows, inner, columns] = [length(lhs, batchL), length(lhs, freeL), length(lhs, contractL), length(rhs, freeR)];
  const y = zeros(form.kind, sizeOf(form.shape));
  for (let n = 0; n < batches; n++)
    for (let i = 0; i < rows; i++) {
      const to = (n * rows + i) * columns;
      for (let k = 0; k < inner; k++) {
        const value = a[(n * rows + i) * inner + k];
        if (value === 0 && finite) continue;
        const row = (n * inner + k) * columns;
        for (let j = 0; j < columns; j++) y[to + j] += value * b[row + j];
      }
    }
  return y;
};
