// Primitives that compute each value from the values at its place.

import { gathered, sizeOf, stridesOf, zeros } from "./tensors.js";
/** @typedef {import("./tensors.js").Operation} Operation */
/** @typedef {import("./tensors.js").Tensor} Tensor */

/** The values at every place of this shape: one of a side of length 1 stands at all of its places. @param {Tensor} x @param {number[]} shape */
function spread(x, shape) {
  if (x.data.length === sizeOf(shape)) return x.data;
  const [own, missing] = [stridesOf(x.shape), shape.length - x.shape.length];
  return gathered(x, shape, shape.map((_, axis) => (axis < missing || x.shape[axis - missing] === 1 ? 0 : own[axis - missing])));
}

/** @param {(x: number) => number} f @returns {Operation} */
export function unary(f) {
  return ([x], _, [form]) => {
    const y = zeros(form.kind, x.data.length);
    for (let i = 0; i < y.length; i++) y[i] = f(x.data[i]);
    return y;
  };
}

/** @param {(a: number, b: number) => number} f @returns {Operation} */
export function binary(f) {
  return ([a, b], _, [form]) => {
    const y = zeros(form.kind, sizeOf(form.shape));
    const [p, q] = [spread(a, form.shape), spread(b, form.shape)];
    for (let i = 0; i < y.length; i++) y[i] = f(p[i], q[i]);
    return y;
  };
}

/** The values themselves, in another type perhaps. @type {Operation} */
export const asType = ([x], _, [form]) => {
  if (x.kind === form.kind) return x.data;
  const y = zeros(form.kind, x.data.length);
  for (let i = 0; i < y.length; i++) y[i] = form.kind === "bool" ? Number(x.data[i] !== 0) : Math.trunc(x.data[i]);
  if (form.kind === "float32") y.set(x.data);
  return y;
};

/** The value of the case that the first array names. @type {Operation} */
export const select = ([which, ...cases], _, [form]) => {
  const y = zeros(form.kind, sizeOf(form.shape));
  const [chosen, values] = [spread(which, form.shape), cases.map((x) => spread(x, form.shape))];
  for (let i = 0; i < y.length; i++) y[i] = values[chosen[i]][i];
  return y;
};

/** @type {Operation} */
export const clamp = ([low, x, high], _, [form]) => {
  const y = zeros(form.kind, x.data.length);
  const [p, q] = [low, high].map((bound) => spread(bound, form.shape));
  for (let i = 0; i < y.length; i++) y[i] = Math.min(Math.max(x.data[i], p[i]), q[i]);
  return y;
};

/** @type {Operation} */
export const integerPower = (inputs, params, forms) => unary((x) => x ** params.y)(inputs, params, forms);

/** To the nearest integer; halves away from zero, or to the even one. @type {Operation} */
export const round = (inputs, params, forms) => {
  const even = params.rounding_method === "TO_NEAREST_EVEN" || params.rounding_method === 1;
  return unary(even ? roundedToEven : (x) => Math.sign(x) * Math.floor(Math.abs(x) + 0.5))(inputs, params, forms);
};

/** @param {number} x */
function roundedToEven(x) {
  const near = Math.round(x);
  return Math.abs(x - Math.trunc(x)) === 0.5 && near % 2 !== 0 ? near - 1 : near;
}

/** @param {number} a @param {number} b */
export function power(a, b) {
  return a ** b;
}

/** The error function. @param {number} x */
export function erf(x) {
  const size = Math.abs(x);
  if (size > 3) return Math.sign(x) * (1 - tail(size));
  let [term, sum] = [size, size];
  for (let n = 1; term > 1e-10 * sum && n < 100; n++) sum += term *= (2 * size * size) / (2 * n + 1);
  return (Math.sign(x) * 2 * Math.exp(-size * size) * sum) / Math.sqrt(Math.PI);
}

/** 1 - erf(x), without cancellation. @param {number} x */
export function erfc(x) {
  return x > 3 ? tail(x) : 1 - erf(x);
}

/** erfc of a number over 3, as a continued fraction. @param {number} x */
function tail(x) {
  let fraction = x;
  for (let n = 40; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (fraction * Math.sqrt(Math.PI));
}

/** @param {number} x */
export function logistic(x) {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}
