"""What a pickle of PyTorch's may hold besides plain data: storages, and tensors that are views of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cnnviz.errors import InputError

MOST_AXES = 64  # NumPy's and PyTorch's
MOST_EMPTY = 2**31  # the product of the other sides of a tensor that has a side of 0

# the classes of storages, and the dtype that each is read as; bfloat16 is the upper half of float32
DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True)
class Storage:
    """The numbers of one or several tensors, in the file under `key`: `size` of them, of the dtype of `kind`."""

    kind: str
    key: str
    size: int

    @property
    def nbytes(self) -> int:
        """Its bytes in the file."""
        return self.size * np.dtype(DTYPES[self.kind]).itemsize


@dataclass(frozen=True)
class Tensor:
    """A strided view of a storage, with offset and strides in numbers, not bytes, and always within the storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: np.ndarray) -> np.ndarray:
        """The tensor as a view of its storage's numbers; nothing is copied."""
        if 0 in self.shape:
            return np.zeros(self.shape, numbers.dtype)
        width = numbers.dtype.itemsize
        strides = [width * stride if side > 1 else width for side, stride in zip(self.shape, self.strides, strict=True)]
        return np.ndarray(self.shape, numbers.dtype, numbers, width * self.offset, strides)


def decoded(kind: str, data: bytes | bytearray, order: Literal["<", ">"] = "<") -> np.ndarray:
    """A storage's bytes as numbers; `order` is their byte order, "<" or ">". bfloat16 becomes float32, exactly."""
    numbers = np.frombuffer(data, np.dtype(DTYPES[kind]).newbyteorder(order))
    return (numbers.astype("u4") << 16).view("f4") if kind == "BFloat16Storage" else numbers


def tensor(arguments: tuple[Any, ...]) -> Tensor:
    """What torch._utils._rebuild_tensor_v2 is called with, as a tensor.

    Raises InputError unless it lies within its storage and no number of the storage is in two of its places.
    """
    match arguments:
        case (Storage() as storage, offset, tuple(shape), tuple(strides), *_):
            sizes = (offset, *shape, *strides)
            if all(type(size) is int and size >= 0 for size in sizes) and len(shape) == len(strides) <= MOST_AXES:
                _check(storage, offset, shape, strides)
                return Tensor(storage, offset, shape, strides)
    raise InputError("its pickle makes a tensor whose offset, shape or strides are not whole numbers from 0.")


def _check(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    if 0 in shape:
        if math.prod(side for side in shape if side) > MOST_EMPTY:
            raise InputError("its pickle makes an empty tensor with sides that no array can have.")
        return
    last = 0  # the place of the last number of the axes so far, those with the smallest strides
    for stride, side in sorted(zip(strides, shape, strict=True)):
        if side > 1 and stride <= last:
            raise InputError("its pickle makes a tensor whose strides put two of its numbers in one place.")
        last += (side - 1) * stride
    if offset + last >= storage.size:
        raise InputError("its pickle makes a tensor that reaches beyond its storage.")


def _parameter(arguments: tuple[Any, ...]) -> Tensor:
    """A parameter is its tensor; `requires_grad` and hooks are dropped."""
    match arguments:
        case (Tensor() as data, *_):
            return data
    raise InputError("its pickle makes a parameter of something that is not a tensor.")


def _ordered(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """An ordered dict, of no arguments or, as Python 2 wrote it, of a list of pairs."""
    match arguments:
        case ():
            return {}
        case (list(pairs),) if all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            return {name: value for name, value in pairs if type(name) is str}
    raise InputError("its pickle makes an ordered dict of something that is not a list of pairs.")


# what training scripts save beside the weights: settings, and numbers of NumPy's; an empty dict takes the place of each
BESIDE = ["argparse.Namespace", "collections.Counter", "pathlib.PosixPath", "pathlib.WindowsPath", "_codecs.encode"]
BESIDE += ["numpy.dtype"]
BESIDE += [f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")]
# the only names that a pickle may call, and what is done instead
CALLED: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    **dict.fromkeys(BESIDE, lambda _: {}),
}
# the other names that it may use
STORAGES = {f"{module}.{kind}" for module in ("torch", "torch.cuda") for kind in DTYPES}
KNOWN = {*STORAGES, "numpy.ndarray"}
