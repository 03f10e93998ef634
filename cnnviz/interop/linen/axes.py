"""Axes of values whose file counts them as `[n, c, ...]`; here the channels are always last.

A file's order differs from ours only for values of three axes or more. Layers that count axes, or read values in a
row, take `channels_first`, which says that their file puts the channels first.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.types import Array

Values = Float[Array, "n ..."]  # a layer's input or output


def axis_here(axis: int, ndim: int, channels_first: bool) -> int:
    """The position here, from 0, of the file's axis. Raises InputError if there is no such axis."""
    if not -ndim <= axis < ndim:
        raise InputError(f"there is no axis {axis} among {ndim}.")
    axis %= ndim
    if not channels_first or ndim < 3 or axis == 0:
        return axis
    return ndim - 1 if axis == 1 else axis - 1


def axes_here(axes: Sequence[int], ndim: int, channels_first: bool) -> tuple[int, ...]:
    """The positions here of the file's axes, in the file's order. Raises InputError if two are the same, or 0."""
    found = tuple(axis_here(axis, ndim, channels_first) for axis in axes)
    if len(set(found)) < len(found) or 0 in found:
        raise InputError(f"the axes are different ones of an image; they were {list(axes)}.")
    return found


def to_file_order(x: Values, channels_first: bool) -> Values:
    """x with its channels where the file has them."""
    return jnp.moveaxis(x, -1, 1) if channels_first and x.ndim > 2 else x


def from_file_order(x: Values, channels_first: bool) -> Values:
    """x, whose channels are where the file has them, with its channels last."""
    return jnp.moveaxis(x, 1, -1) if channels_first and x.ndim > 2 else x


def shaped_along(vector: Array, x: Values, axes: Sequence[int]) -> Array:
    """An array with one axis for each of `axes` of `x`, reshaped and transposed to broadcast along them."""
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
    return vector.transpose(order).reshape(shape)


def file_shape(shape: Sequence[int], channels_first: bool) -> tuple[int, ...]:
    """The shape that the file gives a value of this shape."""
    if not channels_first or len(shape) < 3:
        return tuple(shape)
    return (shape[0], shape[-1], *shape[1:-1])
