// Primitives whose values are values of their inputs at other places.

import { gathered, positions, sizeOf, stridesOf, transposed, zeros } from "./tensors.js";
/** @typedef {import("./tensors.js").Operation} Operation */

/** @type {Operation} */
export const unmoved = ([x]) => x.data;

/** The parameter `dimensions` is an order of axes in which the values are read. @type {Operation} */
export const reshape = ([x], params) => (params.dimensions ? transposed(x, params.dimensions) : x.data);

/** @type {Operation} */
export const broadcast = ([x], params, [form]) => {
  if (x.data.length === sizeOf(form.shape)) return x.data;
  const [strides, own] = [new Array(form.shape.length).fill(0), stridesOf(x.shape)];
  params.broadcast_dimensions.forEach((/** @type {number} */ axis, /** @type {number} */ i) => {
    strides[axis] = x.shape[i] === 1 ? 0 : own[i];
  });
  return gathered(x, form.shape, strides);
};

/** @type {Operation} */
export const transpose = ([x], params) => transposed(x, params.permutation);

/** @type {Operation} */
export const reverse = ([x], params, [form]) => {
  const strides = stridesOf(x.shape);
  let start = 0;
  for (const axis of params.dimensions) {
    start += strides[axis] * (x.shape[axis] - 1);
    strides[axis] = -strides[axis];
  }
  return gathered(x, form.shape, strides, start);
};

/** @type {Operation} */
export const slice = ([x], params, [form]) => {
  const [own, steps] = [stridesOf(x.shape), params.strides ?? x.shape.map(() => 1)];
  return gathered(x, form.shape, own.map((stride, axis) => stride * steps[axis]), along(own, params.start_indices));
};

/** @type {Operation} */
export const dynamicSlice = ([x, ...starts], _, [form]) => {
  const own = stridesOf(x.shape);
  const from = starts.map((at, axis) => Math.min(Math.max(at.data[0], 0), x.shape[axis] - form.shape[axis]));
  return gathered(x, form.shape, own, along(own, from));
};

/** @type {Operation} */
export const split = ([x], params, forms) => {
  const own = stridesOf(x.shape);
  let start = 0;
  return forms.map((form) => {
    const part = gathered(x, form.shape, own, start * own[params.axis]);
    start += form.shape[params.axis];
    return part;
  });
};

/** @type {Operation} */
export const concatenate = (inputs, params, [form]) => {
  const [found, strides] = [zeros(form.kind, sizeOf(form.shape)), stridesOf(form.shape)];
  let start = 0;
  for (const x of inputs) {
    const to = positions(x.shape, strides, start * strides[params.dimension]);
    for (let i = 0; i < to.length; i++) found[to[i]] = x.data[i];
    start += x.shape[params.dimension];
  }
  return found;
};

/** Negative padding takes values away. @type {Operation} */
export const pad = ([x, filling], params, [form]) => {
  const found = zeros(form.kind, sizeOf(form.shape)).fill(filling.data[0]);
  const [config, strides] = [/** @type {number[][]} */ (params.padding_config), stridesOf(form.shape)];
  const index = x.shape.map(() => 0);
  for (let i = 0; i < x.data.length; i++) {
    const place = index.map((at, axis) => config[axis][0] + at * (config[axis][2] + 1));
    if (place.every((at, axis) => at >= 0 && at < form.shape[axis])) found[along(strides, place)] = x.data[i];
    for (let axis = index.length - 1; axis >= 0 && ++index[axis] === x.shape[axis]; axis--) index[axis] = 0;
  }
  return found;
};

/** @type {Operation} */
export const iota = (_, params, [form]) => {
  const strides = form.shape.map((/** @type {number} */ n, /** @type {number} */ axis) => Number(axis === params.dimension));
  return zeros(form.kind, sizeOf(form.shape)).map((/** @type {number} */ _, /** @type {number} */ i) => positions(form.shape, strides)[i]);
};

/** @param {number[]} strides @param {ArrayLike<number>} index */
function along(strides, index) {
  return strides.reduce((sum, stride, axis) => sum + stride * index[axis], 0);
}
