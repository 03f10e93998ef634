"""Layers and operations of several values, with Keras's conventions."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.interop.linen.axes import Values, axis_here, from_file_order, to_file_order
from cnnviz.types import Array

FUNCTIONS: dict[str, Callable[[Array, Array], Array]] = {
    "add": jnp.add,
    "subtract": jnp.subtract,
    "multiply": jnp.multiply,
    "divide": jnp.divide,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "power": jnp.power,
}


class Merge(nn.Module):
    """A function of FUNCTIONS from the first value on, or the mean; vectors broadcast along the axes of images."""

    function: str
    channels_first: bool = False

    def __call__(self, *xs: Values, train: bool = False) -> Values:
        if len({x.ndim for x in xs}) > 1:
            most = max(x.ndim for x in xs)
            return from_file_order(self._of([self._widened(x, most) for x in xs]), self.channels_first)
        return self._of(xs)

    def _of(self, xs: Sequence[Values]) -> Values:
        if self.function == "average":
            return reduce(jnp.add, xs) / len(xs)
        return reduce(FUNCTIONS[self.function], xs)

    def _widened(self, x: Values, ndim: int) -> Values:
        """x in the file's order, with axes of length one inserted after the first, up to this number of axes."""
        x = to_file_order(x, self.channels_first)
        return x.reshape(x.shape[0], *(1,) * (ndim - x.ndim), *x.shape[1:])


class Concatenate(nn.Module):
    """Values joined along an axis of the file."""

    axis: int = -1
    channels_first: bool = False

    def __call__(self, *xs: Values, train: bool = False) -> Values:
        return jnp.concatenate(xs, axis_here(self.axis, xs[0].ndim, self.channels_first))


class Dot(nn.Module):
    """The sums of products of two values along one axis of each; with `normalize` the cosine."""

    axes: tuple[int, int]
    normalize: bool = False
    channels_first: bool = False

    def __call__(self, x: Values, y: Values, *, train: bool = False) -> Values:
        x, y = (to_file_order(value, self.channels_first) for value in (x, y))
        i, j = (axis_here(axis, value.ndim, False) for axis, value in zip(self.axes, (x, y), strict=True))
        if 0 in (i, j):
            raise InputError(f"the axes are of the images; they were {list(self.axes)}, and axis 0 is the batch.")
        if self.normalize:
            x, y = unit(x, i), unit(y, j)
        product = jax.lax.dot_general(x, y, (((i,), (j,)), ((0,), (0,))))
        product = product[:, None] if product.ndim == 1 else product
        return from_file_order(product, self.channels_first)


class Arithmetic(nn.Module):
    """A function of FUNCTIONS on two values, one of which may be a number or an array, in its place in `constants`."""

    function: str
    constants: tuple[Any, Any] = (None, None)
    channels_first: bool = False

    def __call__(self, *xs: Values, train: bool = False) -> Values:
        given, ndim = (to_file_order(x, self.channels_first) for x in xs), max(x.ndim for x in xs)
        values = [next(given) if one is None else _constant(one, xs[0].dtype, ndim) for one in self.constants]
        wide = [value[(None,) * (ndim - value.ndim)] if value.ndim else value for value in values]
        return from_file_order(FUNCTIONS[self.function](*wide), self.channels_first)


def _constant(numbers: Any, dtype: Any, ndim: int) -> Array:
    """The number or array; raises InputError if it would have a row for each image of values with so many axes."""
    array = jnp.asarray(numbers, dtype)
    if array.ndim > ndim or (array.ndim == ndim and array.shape[0] != 1):
        raise InputError(f"an array of the shape {list(array.shape)} fits no single image.")
    return array


def unit(x: Values, axis: int) -> Values:
    """x divided by its Euclidean norm along the axis."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(axis, keepdims=True), 1e-12))
