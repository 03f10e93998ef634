"""How alike two maps are: SIMILARITIES, each of two arrays of one shape."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Shaped

from cnnviz.batching import map_rows
from cnnviz.errors import InputError, check_known
from cnnviz.fast.jit import compiled
from cnnviz.metrics.order import fractional_ranks
from cnnviz.metrics.shapes import Map, correlation
from cnnviz.types import Array, Float, PyTree, Scalar

WINDOW, K1, K2 = 7, 0.01, 0.03  # the window of scikit-image, and the constants of SSIM's authors


def spearman(a: Map, b: Map) -> Scalar:
    """Spearman's rank correlation of all values."""
    return correlation(fractional_ranks(a.ravel()), fractional_ranks(b.ravel()))


def spearman_abs(a: Map, b: Map) -> Scalar:
    """Spearman's rank correlation of absolute values: what matters is alike, whatever the sign."""
    return spearman(abs(a), abs(b))


def pearson(a: Map, b: Map) -> Scalar:
    """Pearson's correlation of all values."""
    return correlation(a.ravel(), b.ravel())


def ssim(a: Map, b: Map) -> Scalar:
    """The structural similarity of two maps `[h w]`, each divided by its largest absolute value.

    Wang et al. 2004, Image quality assessment, with uniform windows of 7 by 7 and sample covariances as in
    scikit-image; the data's range is from the least to the greatest value of both.
    """
    if a.ndim != 2 or min(a.shape) < WINDOW:
        raise InputError(f"SSIM needs maps (h, w) of at least {WINDOW}x{WINDOW}; these have the shape {a.shape}.")
    a, b = (values / jnp.maximum(abs(values).max(), 1e-30) for values in (a, b))
    extent = jnp.maximum(a.max(), b.max()) - jnp.minimum(a.min(), b.min())
    mean = lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (WINDOW, WINDOW), (1, 1), "VALID") / WINDOW**2
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    of_a, of_b = mean(a), mean(b)
    covariance = lambda x, y, of_x, of_y: unbiased * (mean(x * y) - of_x * of_y)
    c1, c2 = (K1 * extent) ** 2, (K2 * extent) ** 2
    above = (2 * of_a * of_b + c1) * (2 * covariance(a, b, of_a, of_b) + c2)
    below = (of_a**2 + of_b**2 + c1) * (covariance(a, a, of_a, of_a) + covariance(b, b, of_b, of_b) + c2)
    return (above / below).mean()


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
