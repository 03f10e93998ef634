"""How alike two maps are: SIMILARITIES, each of two arrays of one shape."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Shaped

from cnnviz.attribution.alike import pearson, spearman, spearman_abs, ssim
from cnnviz.batching import IMAGE_ROWS, batch_size_or_default, map_rows
from cnnviz.errors import check_known
from cnnviz.fast.jit import compiled
from cnnviz.fast.lanes import lanes
from cnnviz.types import Array, Float, PyTree

SIMILARITIES = {"spearman": spearman, "spearman_abs": spearman_abs, "pearson": pearson, "ssim": ssim}
VALUES = 10  # that a similarity computes for each value of a map, about: ranks, or products of windows


def check_similarity(name: str) -> None:
    """Raises InputError unless this is the name of a similarity."""
    check_known("similarity", name, SIMILARITIES)


def similarity(name: str, a: Shaped[Any, "n ..."], b: Shaped[Any, "n ..."]) -> Float[Array, " n"]:
    """The similarity of each pair of maps, computed in chunks."""
    return similarities(name, a, [b])[:, 0]


def similarities(name: str, a: Shaped[Any, "n ..."], others: Sequence[Any]) -> Float[Array, "n k"]:
    """The similarity of each map with k other maps; what the measure needs of the first alone is computed once."""
    rows = jnp.asarray(a), jnp.stack([*map(jnp.asarray, others)], 1)
    bytes_each = VALUES * sum(leaf.nbytes for leaf in rows) // max(len(rows[0]), 1)
    size = batch_size_or_default(None, IMAGE_ROWS, bytes_each)
    return map_rows(partial(_similar, name), rows, size, send=lanes(size * bytes_each))


@partial(compiled, static_argnums=0)
def _similar(name: str, rows: PyTree) -> Array:
    return jax.vmap(jax.vmap(SIMILARITIES[name], (None, 0)))(*rows)
