"""CIFAR's batches as Keras and torchvision keep them: a pickled dict of one array of pixels and one list of labels.

The interpreter is that of PyTorch's files: nothing is imported and nothing is called. The only globals that it knows
are those of NumPy's arrays, and what they make is a plain array of numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from cnnviz.errors import InputError
from cnnviz.interop.torch.pickled import Global, Machine, read_pickle

DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")
ARRAY, SCALARS = "numpy.ndarray", ("numpy.int64", "numpy.uint8")


@dataclass
class _Dtype:
    """A dtype; its byte order comes as a state, after it was made."""

    code: str
    order: str = "<"


@dataclass
class _Array:
    """An array that is made empty; its shape, dtype and bytes come as a state."""

    value: Shaped[np.ndarray, "..."] | None = None


def batch(content: bytes, key: str, where: str) -> tuple[UInt8[np.ndarray, "..."], Shaped[np.ndarray, " n"]]:
    """The pixels and the labels, those under `key`, of a pickled batch.

    Raises InputError if it is damaged, holds anything but plain data and arrays, or lacks them.
    """
    try:
        found = read_pickle(BytesIO(content), _Batches()).value
    except (InputError, MemoryError, OverflowError) as error:
        raise InputError(f"{where} is not read: {error}") from error
    pixels, labels = (found.get(name) if isinstance(found, dict) else None for name in ("data", key))
    if not isinstance(pixels, _Array) or pixels.value is None or pixels.value.dtype != np.uint8 or labels is None:
        raise InputError(f"{where} is not a batch of CIFAR; a batch has `data` of uint8 and the labels `{key}`.")
    numbers = labels.value if isinstance(labels, _Array) else labels
    if isinstance(numbers, list) and not all(type(number) is int and 0 <= number < 2**31 for number in numbers):
        raise InputError(f"{where} has labels that are not integers from 0, which the labels of classes must be.")
    return pixels.value, np.asarray(numbers, np.int64 if isinstance(numbers, list) else None)


def _refused(what: str) -> InputError:
    return InputError(f"its pickle {what}; use the binary archive.")


def _dtype(arguments: tuple[Any, ...]) -> _Dtype:
    match arguments:
        case (str(code), *_) if code in DTYPES:
            return _Dtype(code)
    raise _refused("makes an array of something other than integers")


def _empty(arguments: tuple[Any, ...]) -> _Array:
    match arguments:
        case (Global(name), *_) if name == ARRAY:
            return _Array()
    raise _refused("makes something other than a plain array")


def _from_buffer(arguments: tuple[Any, ...]) -> _Array:
    match arguments:
        case (bytes() | bytearray() as data, _Dtype() as dtype, tuple(shape), str(order)):
            return _Array(_filled(shape, dtype, order == "F", bytes(data)))
    raise _refused("makes something other than a plain array")


def _encoded(arguments: tuple[Any, ...]) -> bytes:
    """Bytes, which Python 3 writes as a text to be encoded where the pickle is of an old protocol."""
    match arguments:
        case (str(text), "latin1") if all(ord(letter) < 256 for letter in text):
            return text.encode("latin-1")
    raise _refused("encodes a text in another way than that of bytes")


def _filled(shape: tuple[Any, ...], dtype: _Dtype, is_fortran: bool, data: bytes) -> Shaped[np.ndarray, "..."]:
    numbers = np.dtype(dtype.order + dtype.code)
    if not all(type(side) is int and side >= 0 for side in shape) or math.prod(shape) * numbers.itemsize != len(data):
        raise _refused("makes an array whose shape is not that of its bytes")
    return np.frombuffer(data, numbers).reshape(shape, order="F" if is_fortran else "C")


class _Batches(Machine):
    writer = "NumPy"
    content = "a batch of CIFAR's"
    advice = "use the binary archive, or save the arrays by numpy.savez"
    calls: Mapping[str, Any] = {
        "numpy.dtype": _dtype,
        **dict.fromkeys(("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"), _empty),
        **dict.fromkeys(("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"), _from_buffer),
        "_codecs.encode": _encoded,
    }
    names = (ARRAY,)

    def run(self, opcode: str, argument: Any) -> None:
        if opcode in ("BINBYTES8", "BYTEARRAY8"):
            self.push(bytes(argument))
        elif opcode == "LONG_BINGET":
            self.get(argument)
        else:
            super().run(opcode, argument)

    def set(self, items: Any) -> None:
        """Entries of a dict, whose keys are bytes where Python 3 wrote them as such."""
        named = [key.decode("latin-1") if isinstance(key, bytes) else key for key in items[::2]]
        super().set([part for pair in zip(named, items[1::2], strict=True) for part in pair])

    def build(self) -> None:
        match self.pop(), self.stack[-1]:
            case (_, str(order), *_), _Dtype() as dtype if order in ("<", ">", "|", "="):
                dtype.order = "<" if order in "|=" else order
            case (_, tuple(shape), _Dtype() as dtype, flag, bytes() | str() as data), _Array() as array:
                raw = data.encode("latin-1") if isinstance(data, str) else data  # Python 2 has one type for both
                array.value = _filled(shape, dtype, bool(flag), raw)
            case _:
                raise _refused("sets attributes of something other than an array")
