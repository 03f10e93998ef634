"""A layer's value as a vector of a bounded length per image: maps on a coarser grid, many channels projected."""

import math
from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cnnviz.types import Array


def features(value: Array, most: int) -> Array:
    """At most `most` numbers `[n f]` of a layer's value `[n *sides c]`."""
    value = value.astype(jnp.float32)
    n, *sides, channels = value.shape if value.ndim > 1 else (*value.shape, 1)
    value = value.reshape(n, *sides, channels)
    while math.prod(sides) * channels > most and math.prod(sides) > 1:
        axis = int(np.argmax(sides))
        sides[axis] = max(1, sides[axis] // 2)
        value = _coarser(value, 1 + axis, sides[axis])
    flat = value.reshape(n, -1)
    return flat if flat.shape[1] <= most else flat @ _projection(flat.shape[1], most)


def _coarser(value: Array, axis: int, count: int) -> Array:
    """The means of `count` nearly equal parts along an axis."""
    edges = np.linspace(0, value.shape[axis], count + 1).round().astype(int)
    share = np.zeros((count, value.shape[axis]), np.float32)
    for i, (start, stop) in enumerate(zip(edges, edges[1:], strict=False)):
        share[i, start:stop] = 1 / (stop - start)
    return jnp.moveaxis(jnp.tensordot(jnp.asarray(share), value, (1, axis)), 0, axis)


@cache
def _projection(features: int, most: int) -> Float[np.ndarray, "f m"]:
    """A random matrix of signs, the same each time."""
    signs = np.random.default_rng(0).integers(0, 2, (features, most)) * 2 - 1
    return (signs / math.sqrt(features)).astype(np.float32)
