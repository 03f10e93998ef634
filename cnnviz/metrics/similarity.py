"""How alike two maps are: SIMILARITIES, each of two arrays of one shape."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Shaped

from cnnviz.attribution.alike import pearson, spearman, spearman_abs, ssim
from cnnviz.batching import map_rows
from cnnviz.errors import check_known
from cnnviz.fast.jit import compiled
from cnnviz.types import Array, Float, PyTree

SIMILARITIES = {"spearman": spearman, "spearman_abs": spearman_abs, "pearson": pearson, "ssim": ssim}


def check_similarity(name: str) -> None:
    """Raises InputError unless this is the name of a similarity."""
    check_known("similarity", name, SIMILARITIES)


def similarity(name: str, a: Shaped[Any, "n ..."], b: Shaped[Any, "n ..."]) -> Float[Array, " n"]:
    """The similarity of each pair of maps, computed in chunks."""
    return map_rows(partial(_similar, name), (jnp.asarray(a), jnp.asarray(b)), 256)


@partial(compiled, static_argnums=0)
def _similar(name: str, pairs: PyTree) -> Array:
    return jax.vmap(SIMILARITIES[name])(*pairs)
