// Sums, maxima and their kin over axes, along an axis, and over windows.

import { positions, sizeOf, stridesOf, zeros } from "./tensors.js";
/** @typedef {import("./tensors.js").Operation} Operation */
/** @typedef {(a: number, b: number) => number} Combine */

/** Combines all values along the parameter `axes`. @param {number} first @param {Combine} combine @returns {Operation} */
export function reduction(first, combine) {
  return ([x], params, [form]) => {
    const sums = new Float64Array(sizeOf(form.shape)).fill(first);
    const kept = x.shape.map((_, axis) => axis).filter((axis) => !params.axes.includes(axis));
    const own = stridesOf(form.shape);
    const to = positions(x.shape, x.shape.map((_, axis) => (kept.includes(axis) ? own[kept.indexOf(axis)] : 0)));
    for (let i = 0; i < to.length; i++) sums[to[i]] = combine(sums[to[i]], x.data[i]);
    const found = zeros(form.kind, sums.length);
    found.set(sums);
    return found;
  };
}

/** The first place of the largest value along the one axis. @param {number} sign @returns {Operation} */
export function argument(sign) {
  return ([x], params) => {
    const { outer, length, inner } = aroundAxis(x.shape, params.axes[0]);
    return new Int32Array(outer * inner).map((_, i) => {
      const start = Math.floor(i / inner) * length * inner + (i % inner);
      let best = 0;
      for (let k = 1; k < length; k++) if (sign * (x.data[start + k * inner] - x.data[start + best * inner]) > 0) best = k;
      return best;
    });
  };
}

/** Combines the values up to each one along the parameter `axis`. @param {Combine} combine @returns {Operation} */
export function cumulative(combine) {
  return ([x], params) => {
    const { outer, length, inner } = aroundAxis(x.shape, params.axis);
    const found = x.data.slice();
    for (let i = 0; i < outer * inner; i++) {
      const start = Math.floor(i / inner) * length * inner + (i % inner);
      for (let k = 1; k < length; k++) {
        const at = start + (params.reverse ? length - 1 - k : k) * inner;
        found[at] = combine(found[at + (params.reverse ? inner : -inner)], found[at]);
      }
    }
    return found;
  };
}

/** Combines the values of each window, one axis after another. @param {number} first @param {Combine} combine @returns {Operation} */
export function windows(first, combine) {
  return ([x], params, [form]) => {
    let [data, shape] = [x.data, x.shape.slice()];
    form.shape.forEach((length, axis) => {
      const window = ofAxis(params, axis);
      if (window.size === 1 && window.stride === 1 && length === shape[axis]) return;
      const { outer, inner } = aroundAxis(shape, axis);
      const found = zeros(form.kind, outer * length * inner).fill(first);
      for (let o = 0; o < outer; o++)
        for (let out = 0; out < length; out++)
          for (let k = 0; k < window.size; k++) {
            const at = placeOf(window, out, k, shape[axis]);
            if (at < 0) continue;
            const [to, from] = [(o * length + out) * inner, (o * shape[axis] + at) * inner];
            for (let i = 0; i < inner; i++) found[to + i] = combine(found[to + i], data[from + i]);
          }
      data = found;
      shape[axis] = length;
    });
    return data;
  };
}

/**
 * Adds each value of the first array at the place of the largest (or smallest) value in its window of the second; of
 * equal ones the first counts. It is the gradient of max-pooling.
 * @type {Operation}
 */
export const scatterToSelected = ([source, operand], params, [form]) => {
  const found = new Float32Array(sizeOf(form.shape));
  const sign = params.select === "le" || params.select === "lt" ? -1 : 1;
  const [strides, rank] = [stridesOf(operand.shape), operand.shape.length];
  const axes = operand.shape.map((_, axis) => ofAxis(params, axis));
  const inside = axes.reduce((all, axis, i) => all.flatMap((w) => Array.from({ length: axis.size }, (_, k) => [...w, k])), [/** @type {number[]} */ ([])]);
  const index = new Array(rank).fill(0);
  for (let out = 0; out < source.data.length; out++) {
    let best = -1;
    for (const window of inside) {
      let at = 0;
      for (let axis = 0; axis < rank && at >= 0; axis++) {
        const place = placeOf(axes[axis], index[axis], window[axis], operand.shape[axis]);
        at = place < 0 ? -1 : at + place * strides[axis];
      }
      if (at >= 0 && (best < 0 || sign * (operand.data[at] - operand.data[best]) > 0)) best = at;
    }
    if (best >= 0) found[best] += source.data[out];
    for (let axis = rank - 1; axis >= 0 && ++index[axis] === source.shape[axis]; axis--) index[axis] = 0;
  }
  return found;
};

/** @param {number[]} shape @param {number} axis */
function aroundAxis(shape, axis) {
  return { outer: sizeOf(shape.slice(0, axis)), length: shape[axis], inner: sizeOf(shape.slice(axis + 1)) };
}

/** @typedef {{size: number, stride: number, low: number, base: number, dilation: number}} Axis */
/** The window along one axis. @param {import("./tensors.js").Params} params @param {number} axis @returns {Axis} */
function ofAxis(params, axis) {
  const [base, dilation] = [params.base_dilation?.[axis] ?? 1, params.window_dilation?.[axis] ?? 1];
  return { size: params.window_dimensions[axis], stride: params.window_strides[axis], low: params.padding[axis][0], base, dilation };
}

/** Where the k-th value of a window stands along its axis; -1 for padding. @param {Axis} axis @param {number} out @param {number} k @param {number} length */
function placeOf(axis, out, k, length) {
  const at = out * axis.stride - axis.low + k * axis.dilation;
  return at < 0 || at % axis.base !== 0 || at / axis.base >= length ? -1 : at / axis.base;
}
