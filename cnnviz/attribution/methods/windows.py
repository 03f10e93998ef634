"""Windows that slide over an image: where they are, and what lies in them."""

from functools import reduce
from math import prod
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from cnnviz.errors import InputError, InputTypeError
from cnnviz.graph.boxes import Boxes
from cnnviz.types import Array, Bool, Float, Image, Int

Sizes = int | tuple[int, ...] | None
SHARE = 7  # windows along a side, side by side, if nothing is asked for


class Windows(NamedTuple):
    """Windows of one size over arrays of one shape; one entry per axis, the channels' too."""

    shape: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many windows there are along each axis; the last one of an axis may reach beyond the edge."""
        sizes = zip(self.shape, self.window, self.stride, strict=True)
        return tuple(-(-(n - size) // step) + 1 for n, size, step in sizes)

    @property
    def boxes(self) -> Boxes:
        """The sides of each window, without the channels."""
        sides = tuple(range(len(self.shape) - 1))
        starts = np.stack([np.array(i) for i in np.unravel_index(np.arange(prod(self.counts)), self.counts)], 1)
        return Boxes(sides, (starts * np.array(self.stride))[:, : len(sides)], self.window[: len(sides)])

    def corner(self, i: Array) -> Int[Array, " axes"]:
        """The first index along each axis of the i-th window; the last axis runs fastest."""
        return jnp.stack(jnp.unravel_index(i, self.counts)) * jnp.array(self.stride)

    def inside(self, corner: Int[Array, " axes"]) -> Bool[Array, "..."]:
        """Which values of the array lie in the window with this corner."""
        found = []
        for axis, (n, size) in enumerate(zip(self.shape, self.window, strict=True)):
            at = jnp.arange(n) - corner[axis]
            found.append(((at >= 0) & (at < size)).reshape([n if a == axis else 1 for a in range(len(self.shape))]))
        return reduce(jnp.logical_and, found)

    def mean(self, numbers: Float[Array, " windows"]) -> Image:
        """For each value the mean of the numbers of the windows that cover it; 0 where none does."""
        total, members = numbers.reshape(self.counts), self._members()
        for axis, member in enumerate(members):
            total = jnp.moveaxis(jnp.tensordot(total, member.astype(numbers.dtype), (axis, 0)), -1, axis)
        covered = reduce(np.multiply.outer, [member.sum(0) for member in members])
        return total / jnp.asarray(np.maximum(covered, 1), numbers.dtype)

    def _members(self) -> list[np.ndarray]:
        """For each axis, which windows `[window index]` cover which index along it."""
        starts = (np.arange(count) * step for count, step in zip(self.counts, self.stride, strict=True))
        at = [np.arange(n) - start[:, None] for n, start in zip(self.shape, starts, strict=True)]
        return [(each >= 0) & (each < size) for each, size in zip(at, self.window, strict=True)]


def windows_over(shape: tuple[int, ...], window: Sizes, stride: Sizes) -> Windows:
    """The windows over images of this shape `[... c]`. Raises InputError if they do not fit."""
    usual = tuple(max(1, round(n / SHARE)) for n in shape[:-1]) if len(shape) > 1 else (1,)
    sizes = _per_axis("window", window, shape) if window is not None else _with_channels(usual, shape)
    half = tuple(max(1, size // 2) for size in sizes[: len(usual)])
    steps = _per_axis("stride", stride, shape) if stride is not None else _with_channels(half, shape)
    for n, size in zip(shape, sizes, strict=True):
        if size > n:
            raise InputError(f"A window is at most as large as the image {shape}; it was {window!r}.")
    return Windows(shape, sizes, steps)


def _per_axis(name: str, sizes: Sizes, shape: tuple[int, ...]) -> tuple[int, ...]:
    """One number per axis. Raises InputError unless there is a positive one for all sides, each side or each axis."""
    sides = shape[:-1] or shape
    given: tuple[Any, ...] = tuple(sizes) if isinstance(sizes, tuple | list) else (sizes,) * len(sides)
    if not all(isinstance(size, int | np.integer) and not isinstance(size, bool) for size in given):
        raise InputTypeError(f"A {name} is a number of pixels, or one per side; it was {sizes!r}.")
    if len(given) not in (len(sides), len(shape)):
        raise InputError(
            f"A {name} is one number, one per side ({len(sides)}), or one per axis of an image ({len(shape)}); "
            f"it was {sizes!r}."
        )
    if min(given) < 1:
        raise InputError(f"A {name} is at least 1; it was {sizes!r}.")
    if not isinstance(sizes, tuple | list):  # a side of one pixel, as of a signal kept as a picture, is always covered
        given = tuple(1 if n == 1 else size for size, n in zip(given, sides, strict=True))
    return _with_channels(tuple(int(size) for size in given), shape)


def _with_channels(sizes: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    return sizes if len(sizes) == len(shape) else (*sizes, shape[-1])
