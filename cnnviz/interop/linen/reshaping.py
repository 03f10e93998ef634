"""Layers that rearrange, cut, pad, repeat or resize, with Keras's conventions, for any number of spatial axes."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.interop.linen.axes import Values, from_file_order, to_file_order
from cnnviz.types import Array

Sides = tuple[tuple[int, int], ...]  # before and after, for each spatial axis


class Flatten(nn.Module):
    """All values of an image on one axis, in row-major order of the file's axes, or with the channels last."""

    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Float[Array, "n p"]:
        return to_file_order(x, self.channels_first).reshape(x.shape[0], math.prod(x.shape[1:]))


class Reshape(nn.Module):
    """The values of an image in another shape, whose one size -1 is what remains."""

    shape: tuple[int, ...]
    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        y = to_file_order(x, self.channels_first).reshape(x.shape[0], *self._full(math.prod(x.shape[1:])))
        return from_file_order(y, self.channels_first)

    def _full(self, size: int) -> tuple[int, ...]:
        known = math.prod(side for side in self.shape if side != -1)
        return tuple(size // max(known, 1) if side == -1 else side for side in self.shape)


class Permute(nn.Module):
    """The axes of an image in another order, counted from 1."""

    dims: tuple[int, ...]
    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        y = to_file_order(x, self.channels_first).transpose(0, *self.dims)
        return from_file_order(y, self.channels_first)


class RepeatVector(nn.Module):
    """A vector, several times: `[n, repeats, c]`."""

    repeats: int
    channels_first: bool = False

    def __call__(self, x: Float[Array, "n c"], train: bool = False) -> Values:
        y = jnp.broadcast_to(x[:, None], (x.shape[0], self.repeats, x.shape[1]))
        return from_file_order(y, self.channels_first)


class ZeroPadding(nn.Module):
    """Zeros around the image: `((top, bottom), (left, right))`."""

    padding: Sides

    def __call__(self, x: Values, train: bool = False) -> Values:
        return padded(x, self.padding)


class Cropping(nn.Module):
    """The image without its borders: `((top, bottom), (left, right))`."""

    cropping: Sides

    def __call__(self, x: Values, train: bool = False) -> Values:
        check_axes(x, self.cropping)
        kept = [slice(start, max(x.shape[i] - end, start)) for i, (start, end) in enumerate(self.cropping, 1)]
        return x[(slice(None), *kept)]


class CenterCrop(nn.Module):
    """The middle of the image, of this height and width."""

    shape: tuple[int, ...]

    def __call__(self, x: Values, train: bool = False) -> Values:
        check_axes(x, self.shape)
        sides = x.shape[1:-1]
        if any(side < kept for side, kept in zip(sides, self.shape, strict=True)):
            raise InputError(f"images of {' x '.join(map(str, sides))} are smaller than what is cut out of them.")
        starts = [(side - kept) // 2 for side, kept in zip(sides, self.shape, strict=True)]
        kept = [slice(start, start + length) for start, length in zip(starts, self.shape, strict=True)]
        return x[(slice(None), *kept)]


class Resizing(nn.Module):
    """The image in another height and width."""

    shape: tuple[int, ...]
    interpolation: str = "bilinear"

    def __call__(self, x: Values, train: bool = False) -> Values:
        check_axes(x, self.shape)
        return resized(x, self.shape, self.interpolation)


class UpSampling(nn.Module):
    """Each axis `size` times as long, by repeating its values or by interpolation."""

    size: tuple[int, ...]
    interpolation: str = "nearest"

    def __call__(self, x: Values, train: bool = False) -> Values:
        check_axes(x, self.size)
        if self.interpolation != "nearest":
            sides = [side * factor for side, factor in zip(x.shape[1:], self.size, strict=False)]
            return resized(x, sides, self.interpolation)
        for axis, factor in enumerate(self.size, 1):
            x = jnp.repeat(x, factor, axis) if factor > 1 else x
        return x


def resized(x: Values, sides: Sequence[int], interpolation: str) -> Values:
    """x with these lengths of its spatial axes, whose pixels are centred at halves."""
    return jax.image.resize(x, (x.shape[0], *sides, x.shape[-1]), interpolation, antialias=False)


def padded(x: Values, sides: Sequence[tuple[int, int]]) -> Values:
    """x padded with these numbers of zeros at both ends of each spatial axis. Raises InputError if counts differ."""
    check_axes(x, sides)
    return jnp.pad(x, ((0, 0), *sides, (0, 0)))


def check_axes(x: Values, sides: Sequence[object]) -> None:
    """Raises InputError unless `x` has as many spatial axes as there are `sides`."""
    if x.ndim != len(sides) + 2:
        raise InputError(f"a layer of {len(sides)} axes does not fit values of shape {x.shape[1:]}.")
