"""The order in which a map's features are removed."""

import jax
import jax.numpy as jnp

from cnnviz.errors import check_known
from cnnviz.metrics.shapes import Map
from cnnviz.types import Array, Key

TIES = ("first", "random")


def check_ties(ties: str) -> None:
    """Raises InputError unless `ties` is one of TIES."""
    check_known("way to order ties", ties, TIES)


def ranks(map: Map, ties: str, key: Key, *, ascending: bool = False) -> Array:
    """The place of each feature in the order of the map's values, in the map's shape; 0 is the most important.

    Of equal values the one that comes first in memory goes first, or with `ties="random"` a random one.
    """
    values = map.ravel() if ascending else -map.ravel()
    if ties == "random":
        shuffled = jax.random.permutation(key, values.size)
        order = shuffled[jnp.argsort(values[shuffled], stable=True)]
    else:
        order = jnp.argsort(values, stable=True)
    places = jnp.arange(values.size, dtype=order.dtype)
    return jnp.zeros_like(places).at[order].set(places, unique_indices=True).reshape(map.shape)
