"""Operations of one value, with NumPy's conventions, along the axes of the file."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.interop.linen.axes import Values, axes_here, from_file_order, to_file_order
from cnnviz.types import Array

ELEMENTWISE: dict[str, Callable[[Array], Array]] = {
    "absolute": jnp.abs,
    "negative": jnp.negative,
    "square": jnp.square,
    "sqrt": jnp.sqrt,
    "rsqrt": jax.lax.rsqrt,
    "reciprocal": jnp.reciprocal,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "expm1": jnp.expm1,
    "sin": jnp.sin,
    "cos": jnp.cos,
}
REDUCTIONS: dict[str, Callable[..., Array]] = {
    "mean": jnp.mean,
    "sum": jnp.sum,
    "max": jnp.max,
    "min": jnp.min,
    "prod": jnp.prod,
    "var": jnp.var,
    "std": jnp.std,
}


class Elementwise(nn.Module):
    """A function of ELEMENTWISE of each value."""

    function: str

    def __call__(self, x: Values, train: bool = False) -> Values:
        return ELEMENTWISE[self.function](x)


class Reduction(nn.Module):
    """A function of REDUCTIONS over axes of the image."""

    function: str
    axes: tuple[int, ...]
    keepdims: bool = False
    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        x = to_file_order(x, self.channels_first)
        found = REDUCTIONS[self.function](x, axes_here(self.axes, x.ndim, False), keepdims=self.keepdims)
        return from_file_order(found, self.channels_first)


class Clip(nn.Module):
    """Each value within these ends."""

    low: float
    high: float

    def __call__(self, x: Values, train: bool = False) -> Values:
        return jnp.clip(x, self.low, self.high)


class Pad(nn.Module):
    """Zeros around the values of an image: so many before and after, along each axis but the first."""

    widths: tuple[tuple[int, int], ...]
    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        if len(self.widths) != x.ndim - 1:
            raise InputError(f"values with {x.ndim} axes cannot be padded along {len(self.widths) + 1}.")
        padded = jnp.pad(to_file_order(x, self.channels_first), ((0, 0), *self.widths))
        return from_file_order(padded, self.channels_first)


class ExpandDims(nn.Module):
    """A new axis of length one at this place."""

    axis: int
    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        axes = axes_here([self.axis], x.ndim + 1, False)
        return from_file_order(jnp.expand_dims(to_file_order(x, self.channels_first), axes), self.channels_first)


class Squeeze(nn.Module):
    """Without these axes, which have length one; without all such axes of an image if none is given."""

    axes: tuple[int, ...] = ()
    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        x = to_file_order(x, self.channels_first)
        axes = axes_here(self.axes, x.ndim, False) or tuple(i for i in range(1, x.ndim) if x.shape[i] == 1)
        if long := [x.shape[i] for i in axes if x.shape[i] != 1]:
            raise InputError(f"an axis of length {long[0]} cannot be left out; it must be 1.")
        return from_file_order(jnp.squeeze(x, axes), self.channels_first)
