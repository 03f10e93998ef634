"""A network's weights as bytes, in full precision or quantized."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.errors import check_known

KINDS = ("float32", "float16", "int8")
FEWEST = 64  # values of an array that is quantized; vectors (a bias, the statistics of BatchNorm) stay float32
ALIGNED = 4  # bytes: where an array begins


@dataclass(frozen=True)
class Blob:
    """Arrays in one row of bytes; `entries` say each one's type, where it begins, and where its scales begin.

    An int8 array has one float32 scale for each index of its last axis: value = integer * scale.
    """

    entries: list[dict[str, Any]]
    data: bytes


def packed(arrays: Sequence[np.ndarray], kind: str) -> Blob:
    """The arrays one after another; those of two axes or more as `kind`: "float32", "float16" or "int8".

    Raises InputError if the kind is unknown.
    """
    check_known("kind of weights", kind, KINDS)
    entries, data = [], bytearray()
    for array in arrays:
        parts = _parts(np.asarray(array), kind)
        entry: dict[str, Any] = {"type": str(parts[0].dtype), "length": parts[0].size}
        for name, part in zip(("offset", "scales"), parts, strict=False):
            data += bytes(-len(data) % ALIGNED)
            entry[name] = len(data)
            data += part.astype(part.dtype.newbyteorder("<")).tobytes()
        entries.append(entry)
    return Blob(entries, bytes(data))


def unpacked(blob: Blob, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """The arrays as the interpreter reads them."""
    found = []
    for entry, shape in zip(blob.entries, shapes, strict=True):
        values = np.frombuffer(blob.data, entry["type"], entry["length"], entry["offset"]).reshape(shape)
        if "scales" in entry:
            values = values * np.frombuffer(blob.data, np.float32, shape[-1], entry["scales"])
        found.append(values.astype(np.float32) if values.dtype.kind == "f" else values)
    return found


def _parts(array: np.ndarray, kind: str) -> list[np.ndarray]:
    """The array as it is written, and its scales if it has any."""
    if array.dtype == bool:
        return [array.astype(np.uint8)]
    if array.dtype.kind in "iu":
        return [array.astype(np.int32)]
    values = array.astype(np.float32)
    if kind == "float32" or array.ndim < 2 or array.size < FEWEST or not np.isfinite(values).all():
        return [values]
    if kind == "float16" and np.abs(values).max() < np.finfo(np.float16).max:
        return [values.astype(np.float16)]
    scales = np.abs(values).max(tuple(range(values.ndim - 1))) / 127
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    return [np.round(values / scales).clip(-127, 127).astype(np.int8), scales]
