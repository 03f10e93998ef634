// Arrays of the graph: values in C order with a shape, and where the values of a view of them stand.

/** @typedef {"float32" | "int32" | "bool"} Kind */
/** @typedef {Float32Array | Int32Array | Uint8Array} Values */
/** @typedef {{shape: number[], kind: Kind, data: Values}} Tensor */
/** @typedef {{shape: number[], kind: Kind}} Form */
/** @typedef {Record<string, any>} Params */
/** @typedef {(inputs: Tensor[], params: Params, forms: Form[]) => Values | Values[]} Operation */

/** How many values an array of this shape has. @param {number[]} shape */
export function sizeOf(shape) {
  return shape.reduce((product, n) => product * n, 1);
}

/** How far apart neighbours along each axis are. @param {number[]} shape */
export function stridesOf(shape) {
  const strides = new Array(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

/** An array of zeros. @param {Kind} kind @param {number} length @returns {Values} */
export function zeros(kind, length) {
  if (kind === "float32") return new Float32Array(length);
  return kind === "int32" ? new Int32Array(length) : new Uint8Array(length);
}

/** Positions of a view are asked for again at every run. @type {Map<string, Int32Array>} */
const knownPositions = new Map();
const MOST_KNOWN = 2000;

/**
 * Where each value of a view of this shape stands in an array: `start` plus, for each axis, index times stride.
 * @param {number[]} shape @param {number[]} strides @param {number} [start]
 */
export function positions(shape, strides, start = 0) {
  const key = `${shape}|${strides}|${start}`;
  const known = knownPositions.get(key);
  if (known) return known;
  const found = new Int32Array(sizeOf(shape));
  const index = new Array(shape.length).fill(0);
  let position = start;
  for (let i = 0; i < found.length; i++) {
    found[i] = position;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += strides[axis];
      if (++index[axis] < shape[axis]) break;
      position -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  if (knownPositions.size >= MOST_KNOWN) knownPositions.clear();
  knownPositions.set(key, found);
  return found;
}

/** The values of a view. @param {Tensor} tensor @param {number[]} shape @param {number[]} strides @param {number} [start] */
export function gathered(tensor, shape, strides, start = 0) {
  const from = positions(shape, strides, start);
  const found = zeros(tensor.kind, from.length);
  const data = tensor.data;
  for (let i = 0; i < found.length; i++) found[i] = data[from[i]];
  return found;
}

/** The values with the axes in this order; the array itself if the order stays. @param {Tensor} tensor @param {number[]} order */
export function transposed(tensor, order) {
  const moved = order.filter((axis) => tensor.shape[axis] > 1);
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1])) return tensor.data;
  const strides = stridesOf(tensor.shape);
  return gathered(tensor, order.map((axis) => tensor.shape[axis]), order.map((axis) => strides[axis]));
}
