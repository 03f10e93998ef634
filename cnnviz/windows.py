"""Max-pooling in the form that is fast on CPU: as a maximum of slices, one for each place of its window."""

import math
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import product

import jax
import jax.numpy as jnp

from cnnviz.graph import Node
from cnnviz.types import Array

LARGEST_WINDOW = 16  # places; a maximum over many slices reads the image as many times


def is_small(node: Node) -> bool:
    """Whether the window is small, and nothing is inserted between the values that it goes over."""
    return math.prod(node.params["window_dimensions"]) <= LARGEST_WINDOW and set(node.params["base_dilation"]) == {1}


def max_of_slices(x: Array, node: Node) -> Array:
    """The maximum in each window; of equal ones the first has all the derivative, as in the primitive."""
    params = node.params
    low = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    x = jax.lax.pad(x, jnp.asarray(low, x.dtype), [(*sides, 0) for sides in params["padding"]])
    seen, *others = at_each_place(
        x, params["window_dimensions"], params["window_strides"], params["window_dilation"], node.outputs[0].shape
    )
    return reduce(lambda best, seen: jnp.where((seen > best) | (seen != seen), seen, best), others, seen)  # a NaN stays


def at_each_place(
    x: Array, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int], shape: Sequence[int]
) -> Iterator[Array]:
    """What a window that goes over `x` sees at each of its places: slices of the shape of the output."""
    ahead = [(n - 1) * stride + 1 for n, stride in zip(shape, strides, strict=True)]
    for place in product(*map(range, window)):
        start = [at * step for at, step in zip(place, dilation, strict=True)]
        yield jax.lax.slice(x, start, [s + length for s, length in zip(start, ahead, strict=True)], strides)
