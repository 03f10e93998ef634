"""Weights that `flax.serialization.to_bytes` or `msgpack_serialize` has written, as `.msgpack`.

The format is MessagePack with three extension types of Flax: an array, a complex number and a NumPy scalar. Flax's own
decoder trusts what a file says of its sizes and types; this one bounds and checks both.
"""

import math
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

import msgpack
import numpy as np
from jaxtyping import Shaped

from cnnviz.errors import InputError
from cnnviz.interop.weights.tree import DTYPES, Tree, content

ARRAY, COMPLEX, SCALAR = 1, 2, 3  # Flax's extension types
CHUNKED = "__msgpack_chunked_array__"  # marks an array of over 2**30 bytes, which Flax writes in pieces
MOST, WIDEST, LONGEST = 2**18, 2**13, 2**16  # values in a file, entries of one map or list, bytes of a text


def read(path: Path) -> Tree:
    """The tree in a file; raises InputError if it is damaged, too large when decoded, or not of Flax's format."""
    data = content(path)
    try:
        found = _Decoder().decode(data)
        if not isinstance(found, dict):
            raise ValueError(f"it holds {shortened(found)}, not named arrays")
    except (ValueError, TypeError, LookupError, OverflowError, msgpack.exceptions.UnpackException) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} is not a readable .msgpack file of Flax's ({why}).") from error
    return found


class _Decoder:
    """Decodes one file and counts its values, since a small file can claim or make very many."""

    def __init__(self):
        self.left = MOST

    def decode(self, data: bytes) -> Any:
        """The value in `data`; raises one of msgpack's exceptions, or ValueError, for anything else."""
        return msgpack.unpackb(
            data,
            strict_map_key=False,  # NNX has numbers as keys
            object_pairs_hook=self.mapping,
            list_hook=self.listed,
            ext_hook=_extension,
            max_map_len=WIDEST,
            max_array_len=WIDEST,
            max_str_len=LONGEST,
            max_bin_len=LONGEST,
            max_ext_len=len(data),
        )

    def mapping(self, pairs: list[tuple[Any, Any]]) -> Any:
        """A dict by text; Flax's mark of an array in pieces becomes the array."""
        self._count(len(pairs))
        if wrong := [key for key, _ in pairs if type(key) not in (str, int)]:
            raise ValueError(f"it has the key {shortened(wrong[0])}")
        found = {str(key): value for key, value in pairs}
        if len(found) < len(pairs):
            raise ValueError("it has a key twice")
        return _joined(found) if CHUNKED in found else found

    def listed(self, values: list[Any]) -> list[Any]:
        """The list itself."""
        self._count(len(values))
        return values

    def _count(self, values: int) -> None:
        self.left -= values + 1
        if self.left < 0:
            raise ValueError(f"it has more than {MOST} values")


def _extension(code: int, data: bytes) -> Any:
    if code not in (ARRAY, COMPLEX, SCALAR):
        raise ValueError(f"it has an extension of type {code}, which Flax does not write")
    if code == COMPLEX:
        real, imaginary = msgpack.unpackb(data, max_array_len=2, max_map_len=0)
        return np.asarray(complex(float(real), float(imaginary)))
    return _array(data)


def _array(data: bytes) -> Shaped[np.ndarray, "..."]:
    """The array of an extension: its shape, the name of its dtype, and exactly as many bytes as they need."""
    shape, name, values = msgpack.unpackb(data, raw=True, max_array_len=64, max_map_len=0)
    named = name.decode(errors="replace") if isinstance(name, bytes) else repr(name)
    if named not in DTYPES:
        raise ValueError(f"an array has the type {shortened(named)}; numbers are read, and nothing else")
    if not isinstance(values, bytes):
        raise ValueError("an array has no bytes")
    return _shaped(np.frombuffer(values, np.uint8), shape, DTYPES[named])


def _shaped(raw: Any, shape: Any, dtype: np.dtype) -> Shaped[np.ndarray, "..."]:
    """Bytes as an array of this shape and type; raises ValueError unless there are exactly enough."""
    if not isinstance(shape, list | tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"an array has the shape {shortened(shape)}")
    if math.prod(shape) * dtype.itemsize != raw.nbytes:
        raise ValueError(f"an array claims {dtype}{shortened(list(shape))} and stores {raw.nbytes} bytes")
    return raw.view(dtype).reshape(shape)


def _joined(found: dict[str, Any]) -> Shaped[np.ndarray, "..."]:
    """The array that Flax has written in pieces: its shape and its pieces, each a dict by number."""
    pieces, shape = ([found[name][str(i)] for i in range(len(found[name]))] for name in ("chunks", "shape"))
    if not pieces or not all(isinstance(piece, np.ndarray) and piece.dtype == pieces[0].dtype for piece in pieces):
        raise ValueError("an array in pieces has other parts than arrays of one type")
    whole = np.concatenate([piece.reshape(-1) for piece in pieces])
    return _shaped(whole.view(np.uint8), shape, whole.dtype)
