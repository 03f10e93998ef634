"""Max-pooling in the form that is fast on CPU: as a maximum of slices, one for each position in its window.

Where windows do not overlap, as in most networks, the derivative has its own form too: one position in each window
receives it. Through the slices it would be a sum of as many images with zeros between their values, which takes twice
as long.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import chain, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.graph import Node
from cnnviz.types import Array

LARGEST_WINDOW = 16  # positions; a maximum over many slices reads the image as many times


def is_small(node: Node) -> bool:
    """Whether the window is small and its input is not dilated."""
    return math.prod(node.params["window_dimensions"]) <= LARGEST_WINDOW and set(node.params["base_dilation"]) == {1}


def max_of_slices(x: Array, node: Node) -> Array:
    """The maximum of `x` in each window, of the shape of the node's output.

    The first of equal maxima receives the entire derivative, as in the primitive.
    """
    params = node.params
    low = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    x = jax.lax.pad(x, jnp.asarray(low, x.dtype), [(*sides, 0) for sides in params["padding"]])
    window, strides, shape = params["window_dimensions"], params["window_strides"], node.outputs[0].shape
    places = lambda x: at_each_place(x, window, strides, params["window_dilation"], shape)
    is_tiling = tuple(window) == tuple(strides) and set(params["window_dilation"]) == {1}
    if is_tiling and jnp.issubdtype(x.dtype, jnp.floating):
        return _largest_of_tiles(places, window, shape)(x)
    return _largest(places(x))


def _largest(seen: Iterator[Array]) -> Array:
    return reduce(lambda best, other: jnp.where((other > best) | (other != other), other, best), seen)  # a NaN stays


def _largest_of_tiles(
    places: Callable[[Array], Iterator[Array]], window: Sequence[int], shape: Sequence[int]
) -> Callable[[Array], Array]:
    """The maximum in windows that do not overlap; its derivative is that of the first position with the maximum."""
    rank, covered = len(shape), [n * side for n, side in zip(shape, window, strict=True)]
    within = tuple(range(1, 2 * rank, 2))  # the axes of positions in a window, each after the axis of the windows
    interleaved = lambda outer: list(chain(*zip(outer, window, strict=True)))
    tiles = lambda x: jax.lax.slice(x, [0] * rank, covered).reshape(interleaved(shape))
    numbers = np.arange(math.prod(window), dtype=np.int32).reshape(interleaved([1] * rank))

    @jax.custom_jvp
    def largest_and_first(x: Array) -> tuple[Array, Array]:
        return _largest_and_first(jnp.stack([*places(x)]))

    @largest_and_first.defjvp
    def derivative(primals: tuple[Array], tangents: tuple[Array]) -> tuple[tuple[Array, Array], tuple[Array, Any]]:
        largest, first = largest_and_first(*primals)
        chosen = jnp.where(numbers == jnp.expand_dims(first, within), tiles(*tangents), 0)
        return (largest, first), (jnp.sum(chosen, within), np.zeros(first.shape, jax.dtypes.float0))

    return lambda x: largest_and_first(x)[0]


def _largest_and_first(seen: Array) -> tuple[Array, Array]:
    """The maximum over the first axis and the first index that has it, in one pass."""

    def better(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
        (x, i), (y, j) = one, other
        takes = (x > y) | (x != x) | (x == y) & (i < j)  # a NaN is the largest
        return jnp.where(takes, x, y), jnp.where(takes, i, j)

    places = jax.lax.broadcasted_iota(jnp.int32, seen.shape, 0)
    lowest = jnp.asarray(-jnp.inf, seen.dtype), jnp.int32(len(seen))
    return tuple(jax.lax.reduce((seen, places), lowest, better, (0,)))


def at_each_place(
    x: Array, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int], shape: Sequence[int]
) -> Iterator[Array]:
    """For each position in the window, the values of `x` that windows have there: slices of the output's `shape`."""
    ahead = [(n - 1) * stride + 1 for n, stride in zip(shape, strides, strict=True)]
    for place in product(*map(range, window)):
        start = [at * step for at, step in zip(place, dilation, strict=True)]
        yield jax.lax.slice(x, start, [s + length for s, length in zip(start, ahead, strict=True)], strides)
