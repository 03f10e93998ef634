// A network's weights from the bytes in the page.

/** @typedef {{type: string, length: number, offset: number, scales?: number}} Entry */
/** @typedef {import("./tensors.js").Values} Values */

/** The bytes that a base64 text holds. @param {string} text */
export function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** One array of the weights, in full precision. @param {Entry} entry @param {Uint8Array} bytes @param {number[]} shape @returns {Values} */
export function weightsOf(entry, bytes, shape) {
  const start = bytes.byteOffset + entry.offset;
  if (entry.type === "float32") return new Float32Array(bytes.buffer, start, entry.length);
  if (entry.type === "int32") return new Int32Array(bytes.buffer, start, entry.length);
  if (entry.type === "uint8") return new Uint8Array(bytes.buffer, start, entry.length);
  if (entry.type === "float16") return Float32Array.from(new Uint16Array(bytes.buffer, start, entry.length), halfFloat);
  const columns = shape[shape.length - 1];
  const scales = new Float32Array(bytes.buffer, bytes.byteOffset + (entry.scales ?? 0), columns);
  const integers = new Int8Array(bytes.buffer, start, entry.length);
  return Float32Array.from(integers, (integer, i) => integer * scales[i % columns]);
}

/** The number that 16 bits stand for. @param {number} bits */
function halfFloat(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
