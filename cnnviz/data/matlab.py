"""Arrays of bytes in MATLAB 5 files, which SVHN's are; everything else in such a file is passed over, and nothing run.

A file is a header of 128 bytes and elements, each a tag (type and length) and data; an element may be compressed by
zlib. Of matrices only those of plain numbers are read, not objects, functions, cells or structures.
"""

import math
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import UInt8

from cnnviz.errors import InputError
from cnnviz.interop.archives import MOST_INFLATED

MATRIX, COMPRESSED = 14, 15
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC = range(6, 16)  # classes of matrices: double, single, and the integers
HEADER, START = 128, 4096  # bytes: the file's, and as many of a matrix as are looked at for its name
LEAST_LIMIT = 2**26  # bytes that any element may unpack to
MOST_AXES = 8


class _Element(NamedTuple):
    kind: int
    data: memoryview
    end: int  # where the next one starts


class _Matrix(NamedTuple):
    name: str
    shape: tuple[int, ...]
    is_numeric: bool
    place: int  # of the numbers' element


def read(path: Path, wanted: Collection[str]) -> dict[str, UInt8[np.ndarray, "..."]]:
    """The arrays of these names, with values from 0 to 255.

    Raises InputError if the file is of another version, damaged, or claims more than it can hold.
    """
    try:
        with path.open("rb") as file:
            order = _byte_order(path, file.read(HEADER))
            found = [each for each in _matrices(file, path.stat().st_size, order, wanted)]
    except InputError as error:
        raise InputError(f"{path} is not read: {error}") from error
    except (ValueError, IndexError, OverflowError, zlib.error) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} is a damaged MATLAB file ({why}); put a good copy in its place.") from error
    return dict(found)


def _byte_order(path: Path, header: bytes) -> str:
    orders = {b"IM": "<", b"MI": ">"}
    if len(header) < HEADER or header[126:128] not in orders:
        what = "an HDF5 file of MATLAB 7.3" if header.startswith(b"\x89HDF") else "not a MATLAB 5 file"
        raise InputError(f"it is {what}; save it by save(..., '-v7'), or its arrays by numpy.savez.")
    order = orders[header[126:128]]
    if header[124:126] not in (b"\0\1", b"\1\0"):
        raise InputError("it is of a version of MATLAB files other than 5; save it by save(..., '-v7').")
    return order


def _matrices(
    file: BinaryIO, size: int, order: str, wanted: Collection[str]
) -> Iterator[tuple[str, UInt8[np.ndarray, "..."]]]:
    while tag := file.read(8):
        kind, length = (int(number) for number in np.frombuffer(tag, f"{order}u4"))
        if length > size - file.tell():
            raise ValueError(f"an element claims {length} bytes, more than the file has")
        if kind not in (MATRIX, COMPRESSED):
            file.seek(length, 1)
            continue
        content = _Content(file.read(length), order, kind == COMPRESSED)
        matrix = _described(content.start, order)
        if matrix is not None and matrix.name in wanted:
            yield matrix.name, _numbers(content.complete(), matrix, order)


class _Content:
    """A matrix, without its tag, that is unpacked as far as it is needed."""

    def __init__(self, stored: bytes, order: str, is_compressed: bool):
        self.unpacker = zlib.decompressobj() if is_compressed else None
        if self.unpacker is None:
            self.start, self.length, self.rest = stored[:START], len(stored), stored[START:]
            return
        tag = np.frombuffer(self.unpacker.decompress(stored, 8), f"{order}u4")
        kind, self.length = int(tag[0]), int(tag[1])
        if self.length > max(MOST_INFLATED * len(stored), LEAST_LIMIT):
            raise InputError(f"an element claims {self.length:,} bytes out of {len(stored):,}; that is no data set's.")
        self.rest = self.unpacker.unconsumed_tail
        self.start = self._more(START) if kind == MATRIX else b""

    def _more(self, most: int) -> bytes:
        assert self.unpacker is not None
        most = min(most, self.length)
        found = self.unpacker.decompress(self.rest, most) if most else b""
        self.rest = self.unpacker.unconsumed_tail
        return found

    def complete(self) -> bytes:
        """All of the matrix; raises ValueError if there is less than its tag says."""
        rest = self.rest if self.unpacker is None else self._more(max(self.length - len(self.start), 0))
        if len(self.start) + len(rest) != self.length:
            raise ValueError("an element ends early")
        return self.start + rest


def _element(content: bytes, place: int, order: str) -> _Element:
    """The element at a place; one of at most four bytes is stored within its tag."""
    word, length = (int(number) for number in np.frombuffer(content, f"{order}u4", 2, place))
    if word >> 16:  # the small form: length and type in the first word
        kind, length, start = word & 0xFFFF, word >> 16, place + 4
        return _Element(kind, memoryview(content)[start : start + length], place + 8)
    start = place + 8
    return _Element(word, memoryview(content)[start : start + length], start + -(-length // 8) * 8)


def _described(start: bytes, order: str) -> _Matrix | None:
    """What the first bytes of a matrix say; None if they are not those of one."""
    if not start:
        return None
    flags = _element(start, 0, order)
    shape = _element(start, flags.end, order)
    name = _element(start, shape.end, order)
    sides = np.frombuffer(shape.data, f"{order}i4")
    if not 0 < len(sides) <= MOST_AXES or (sides < 0).any():
        raise ValueError("a matrix has a shape that no array can have")
    bits = int(np.frombuffer(flags.data, f"{order}u4", 1)[0])
    is_plain = (bits & 0xFF) in NUMERIC and not bits & 0x0800  # not complex
    return _Matrix(bytes(name.data).decode("latin-1"), tuple(map(int, sides)), is_plain, name.end)


def _numbers(content: bytes, matrix: _Matrix, order: str) -> UInt8[np.ndarray, "..."]:
    element = _element(content, matrix.place, order)
    if not matrix.is_numeric or element.kind not in TYPES:
        raise InputError(f"its array {matrix.name} is not of plain numbers.")
    dtype = np.dtype(TYPES[element.kind]).newbyteorder(order)  # type: ignore[arg-type]
    if math.prod(matrix.shape) * dtype.itemsize != len(element.data):
        raise ValueError(f"{matrix.name} claims {list(matrix.shape)} and stores {len(element.data)} bytes")
    values = np.frombuffer(element.data, dtype)
    if dtype != np.uint8 and not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        raise InputError(f"its array {matrix.name} has values other than integers from 0 to 255.")
    return values.astype(np.uint8, copy=False).reshape(matrix.shape, order="F")
