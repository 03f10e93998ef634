// Arrays as a file of NumPy: a zip of .npy files, not compressed (numpy.lib.format, version 1.0; PKZIP's APPNOTE 6.3).

/** @typedef {{shape: number[], data: ArrayLike<number> | string[]}} Numbers numbers of any kind of array, or texts */

/** A file that `numpy.load` reads, with an array for each name. @param {Record<string, Numbers>} arrays */
export function npzOf(arrays) {
  const [parts, central] = [/** @type {Uint8Array[]} */ ([]), /** @type {Uint8Array[]} */ ([])];
  let offset = 0;
  for (const [name, numbers] of Object.entries(arrays)) {
    const [path, data] = [new TextEncoder().encode(`${name}.npy`), npyOf(numbers)];
    const entry = [20, 0x800, 0, 0, 0x21]; // version, UTF-8 names, stored, midnight, 1 January 1980
    const sizes = [checksum(data), data.length, data.length];
    const head = joined([numbersOf(4, [0x04034b50]), numbersOf(2, entry), numbersOf(4, sizes), numbersOf(2, [path.length, 0]), path]);
    central.push(joined([numbersOf(4, [0x02014b50]), numbersOf(2, [20, ...entry]), numbersOf(4, sizes), numbersOf(2, [path.length, 0, 0, 0, 0]), numbersOf(4, [0, offset]), path]));
    parts.push(head, data);
    offset += head.length + data.length;
  }
  const index = joined(central);
  const end = [numbersOf(4, [0x06054b50]), numbersOf(2, [0, 0, central.length, central.length]), numbersOf(4, [index.length, offset]), numbersOf(2, [0])];
  return joined([...parts, index, ...end]);
}

/** One array as .npy. @param {Numbers} numbers */
function npyOf({ shape, data }) {
  const { descr, bytes } = Array.isArray(data) && typeof data[0] === "string" ? textsOf(data.map(String)) : valuesOf(/** @type {ArrayLike<number>} */ (data));
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sides}), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const magic = Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0);
  return joined([magic, numbersOf(2, [length]), new TextEncoder().encode(`${header.padEnd(length - 1)}\n`), bytes]);
}

/** Float32 and bytes stay as they are; other numbers are written with 64 bits. @param {ArrayLike<number>} data */
function valuesOf(data) {
  if (data instanceof Uint8Array) return { descr: "|u1", bytes: data };
  const size = data instanceof Float32Array ? 4 : 8;
  const view = new DataView(new ArrayBuffer(size * data.length));
  for (let i = 0; i < data.length; i++) size === 4 ? view.setFloat32(4 * i, data[i], true) : view.setFloat64(8 * i, data[i], true);
  return { descr: `<f${size}`, bytes: new Uint8Array(view.buffer) };
}

/** Texts of equal length, in UTF-32. @param {string[]} texts */
function textsOf(texts) {
  const points = texts.map((text) => Array.from(text, (letter) => letter.codePointAt(0) ?? 0));
  const longest = Math.max(1, ...points.map(({ length }) => length));
  return { descr: `<U${longest}`, bytes: numbersOf(4, points.flatMap((own) => [...own, ...new Array(longest - own.length).fill(0)])) };
}

/** Unsigned integers in so many bytes, the lowest one first. @param {number} size @param {number[]} values */
function numbersOf(size, values) {
  const view = new DataView(new ArrayBuffer(size * values.length));
  values.forEach((value, i) => (size === 2 ? view.setUint16(2 * i, value, true) : view.setUint32(4 * i, value, true)));
  return new Uint8Array(view.buffer);
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const found = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const part of parts) {
    found.set(part, start);
    start += part.length;
  }
  return found;
}

/** CRC-32 of the bytes, bit by bit. @param {Uint8Array} bytes */
function checksum(bytes) {
  let found = -1;
  for (const byte of bytes) {
    found ^= byte;
    for (let bit = 0; bit < 8; bit++) found = (found >>> 1) ^ (0xedb88320 & -(found & 1));
  }
  return ~found >>> 0;
}
