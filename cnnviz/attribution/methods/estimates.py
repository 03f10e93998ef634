"""Means over random samples with their standard errors, least squares with theirs, and centered matrices."""

from typing import NamedTuple

import jax.numpy as jnp
from scipy.stats import norm, t

from cnnviz.types import Array, Float

SMALLEST = 1e-6  # of the largest eigenvalue: a smaller one is taken for zero


class Fitted(NamedTuple):
    """Coefficients `[k]` of least squares, and their standard errors; NaN if there are too few samples for these."""

    coefficients: Float[Array, " k"]
    error: Float[Array, " k"]


def in_pairs(found: Float[Array, "n *k"]) -> Float[Array, "g *k"]:
    """The means of samples 0 and 1, of 2 and 3, ...; an odd one is left out."""
    return (found[0 : len(found) - 1 : 2] + found[1::2]) / 2


def error_of_mean(found: Float[Array, "n *k"]) -> Float[Array, "*k"]:
    """The standard error of the mean over independent samples; NaN if there is only one.

    Of few samples it is larger by Student's t, so that two of it contain the true mean as often as of many.
    """
    if len(found) < 2:
        return jnp.full(found.shape[1:], jnp.nan)
    return found.std(0, ddof=1) / jnp.sqrt(len(found)) * float(t.ppf(norm.cdf(2), len(found) - 1) / 2)


def error_of_skewed_mean(found: Float[Array, "n k"]) -> Float[Array, " k"]:
    """`error_of_mean`, larger by the samples' skewness g, which is that of all k together: 1 + 0.75 g / sqrt(n).

    The mean of few skewed samples is often too small, and so is then its error. By the Cornish-Fisher expansion the
    interval that contains the true mean as often as two normal errors reaches z + (2 z^2 + 1) g / (6 sqrt(n)) far, with
    z = 2. Hall 1992, On the removal of skewness by transformation, section 2 (doi:10.1111/j.2517-6161.1992.tb01876.x).
    """
    centered, deviation = found - found.mean(0, keepdims=True), found.std(0, keepdims=True)
    cubes = ((centered / jnp.where(deviation > 0, deviation, 1)) ** 3).mean(0)  # the cube of a small one is 0
    return error_of_mean(found) * (1 + 0.75 * jnp.maximum(cubes.mean(), 0) / jnp.sqrt(len(found)))


def doubly_centered(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The matrix without the means of its columns and of its rows."""
    matrix = matrix - matrix.mean(0, keepdims=True)
    return matrix - matrix.mean(1, keepdims=True)


def least_squares(
    rows: Float[Array, "n k"], values: Float[Array, " n"], weights: Float[Array, " n"], ridge: float, *, pairs: bool
) -> Fitted:
    """argmin_b sum_i w_i (y_i - b z_i)^2 + ridge |b|^2; of several solutions the smallest one.

    The errors are those of the sandwich estimator, sum_g u_g u_g^T with u_g = A^-1 sum_{i in g} w_i z_i e_i, times
    g / (g - k): a group g is one sample or, with `pairs`, two that were drawn together. Without pairs the rows are
    centered, which takes another degree of freedom.
    """
    gram = jnp.einsum("nk,n,nl->kl", rows, weights, rows, precision="highest")
    inverse = _inverse(gram + ridge * jnp.eye(len(gram), dtype=gram.dtype))
    b = inverse @ jnp.einsum("nk,n->k", rows, weights * values, precision="highest")
    residual = values - jnp.einsum("nk,k->n", rows, b, precision="highest")
    moved = jnp.einsum("nk,kl->nl", rows * (weights * residual)[:, None], inverse, precision="highest")
    groups = 2 * in_pairs(moved) if pairs else moved
    free = len(groups) - jnp.linalg.matrix_rank(rows) - (not pairs)
    spread = jnp.square(groups).sum(0) * len(groups) / jnp.where(free > 0, free, jnp.nan)
    return Fitted(b, jnp.sqrt(spread))


def _inverse(gram: Float[Array, "k k"]) -> Float[Array, "k k"]:
    """The pseudo-inverse of a matrix that is symmetric and has no negative eigenvalues."""
    sizes, vectors = jnp.linalg.eigh(gram)
    kept = sizes > SMALLEST * sizes[-1]
    return jnp.einsum("ij,j,kj->ik", vectors, jnp.where(kept, 1 / jnp.where(kept, sizes, 1), 0), vectors)
