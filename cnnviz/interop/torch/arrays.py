"""One array of PyTorch's in Flax's layout."""

import numpy as np

from cnnviz.errors import InputError
from cnnviz.interop.weights.tree import type_fault

# what Flax's layers call their arrays, and what PyTorch's do
LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "embedding": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def as_flax(array: np.ndarray, leaf: str, order: np.ndarray | None = None, upsampling: bool = False) -> np.ndarray:
    """The array as Flax has it in the variable `leaf`, but for sides of 1 and the dtype.

    A kernel `[out in ...]` becomes `[... in out]`; one that is `upsampling`, which is `[in out ...]` in PyTorch, too,
    and is reversed in space. `order` is the place in PyTorch of each feature of flattened maps.
    """
    if leaf == "kernel" and upsampling:
        return np.moveaxis(np.flip(array, tuple(range(2, array.ndim))), (0, 1), (-2, -1))
    if leaf != "kernel" or array.ndim < 2:
        return array if order is None or array.size != len(order) else array.reshape(-1)[order]
    if order is not None and array.size == len(array) * len(order):
        array = array.reshape(len(array), -1)[:, order]
    return np.moveaxis(array, (0, 1), (-1, -2))


def fitted(array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A copy of the array in this shape, which may differ in sides of 1, and dtype.

    Raises InputError, with a clause of which the array is the subject, if the shape or the dtype does not fit.
    """
    if without_ones(array.shape) != without_ones(shape):
        raise InputError(f"becomes {array.shape}; the model's is {shape}")
    if fault := type_fault(array, dtype):
        raise InputError(fault)
    return np.array(array.reshape(shape), dtype)


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without sides of 1: a convolution of 1x1 is a dense layer."""
    return tuple(side for side in shape if side != 1)


def leaf_for(name: str, array: np.ndarray) -> str:
    """What Flax calls the array that PyTorch calls `name`: "kernel", "scale", ... or its own last word."""
    last = name.rpartition(".")[2]
    if last == "weight":
        return "kernel" if array.ndim > 1 else "scale"
    return next((leaf for leaf, theirs in LEAVES.items() if theirs == last), last)
