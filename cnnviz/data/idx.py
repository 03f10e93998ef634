"""IDX files, MNIST's format: a big-endian header, then one byte per pixel or label; plain or gzipped."""

import gzip
import hashlib
import math
import zlib
from collections.abc import Mapping
from contextlib import nullcontext
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from cnnviz.errors import InputError

DIMENSIONS = {"images": 3, "labels": 1}
# Deflate compresses by 1032 to 1 at most, so a larger size in a header is refused before memory is allocated for it.
DEFLATE_LIMIT = 1032


def read(path: Path, digests: Mapping[str, str] = {}) -> UInt8[np.ndarray, "..."]:
    """The bytes of the images `[n h w]` or labels `[n]` in a file, whose name says which of the two they are.

    `digests` are published SHA-256 sums under the name of the plain file, or of the gzipped file where only that digest
    is known. The plain file's is preferred: repacking changes the gzip header. Raises InputError if the file is damaged
    or has another checksum.
    """
    kind = "images" if "images" in path.name else "labels"
    with path.open("rb") as stream:
        payload, shape = _payload(stream, path, kind, path.stat().st_size)
    check(path, payload, digests)
    return np.frombuffer(payload, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def check(path: Path, payload: bytes, digests: Mapping[str, str]) -> None:
    """Raises InputError, which names both sums, if the file's SHA-256 differs from a published one."""
    plain = path.name.removesuffix(".gz").replace(".idx", "-idx")
    if plain in digests:
        _compare(path, " unpacked" if path.suffix == ".gz" else "", payload, digests[plain])
    elif path.suffix == ".gz" and f"{plain}.gz" in digests:
        _compare(path, "", path.read_bytes(), digests[f"{plain}.gz"])


def _compare(path: Path, how: str, content: bytes, wanted: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise InputError(
            f"{path} has the wrong checksum: its SHA-256{how} is {found}, the published one is {wanted}; put the "
            "published file in its place, or name the folder by --dataset if these are other data."
        )


def read_stream(stream: BufferedIOBase, name: str, stored: int) -> UInt8[np.ndarray, "..."]:
    """The bytes of the images or labels in an open file of this name, plain or gzipped, that takes `stored` bytes.

    Raises InputError if the file is damaged.
    """
    payload, shape = _payload(stream, name, "images" if "images" in name else "labels", stored)
    return np.frombuffer(payload, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _payload(stream: BufferedIOBase, name: object, kind: str, stored: int) -> tuple[bytes, tuple[int, ...]]:
    """All bytes of a file, unpacked, and the shape in its header, which they fill exactly."""
    is_gzipped = str(name).endswith(".gz")
    length = 4 + 4 * DIMENSIONS[kind]
    try:
        with gzip.open(stream) if is_gzipped else nullcontext(stream) as file:
            header = file.read(length)
            shape = _shape(name, header, kind)
            rest = file.read(_size(name, shape, stored * (DEFLATE_LIMIT if is_gzipped else 1)) + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name} is a damaged gzip file ({error}); put a good copy in its place.") from error
    if len(rest) != math.prod(shape):
        fault = "ends early" if len(rest) < math.prod(shape) else "goes on after its end"
        raise InputError(f"{name} {fault}: its header promises {_product(shape)} bytes; put a good copy in its place.")
    return header + rest, shape


def _shape(path: object, header: bytes, kind: str) -> tuple[int, ...]:
    """The shape in a header; raises InputError if its first four bytes are not those of this kind of IDX file."""
    dimensions = DIMENSIONS[kind]
    magic = bytes([0, 0, 8, dimensions])
    if header[:4] != magic:
        raise InputError(
            f"{path} starts with {header[:4].hex() or 'nothing'}; an IDX file of {kind} starts with {magic.hex()}."
        )
    if len(header) < 4 + 4 * dimensions:
        raise InputError(f"{path} ends early: its header has {len(header)} of {4 + 4 * dimensions} bytes.")
    return tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))


def _size(path: object, shape: tuple[int, ...], most: int) -> int:
    """How many bytes follow the header; raises InputError if the file cannot hold as many."""
    size = math.prod(shape)
    if not 0 < size <= most:
        raise InputError(
            f"{path} ends early: its header promises {_product(shape)} bytes, more than such a file can hold."
        )
    return size


def _product(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
