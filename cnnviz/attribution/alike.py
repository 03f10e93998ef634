"""How alike two maps of an image are: numbers of two arrays of one shape."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.order import smallest
from cnnviz.errors import InputError
from cnnviz.types import Array, Float, Scalar

Map = Float[Array, "..."]
WINDOW, K1, K2 = 7, 0.01, 0.03  # the window of scikit-image, and the constants of SSIM's authors


def fractional_ranks(values: Array) -> Array:
    """The ranks of values `[n]` from 1 on, ties sharing their mean, as Spearman's correlation takes them."""
    ordered = jnp.sort(values)
    below, upto = jnp.searchsorted(ordered, values, side="left"), jnp.searchsorted(ordered, values, side="right")
    return (below + upto + 1) / 2


def correlation(x: Float[Array, " n"], y: Float[Array, " n"]) -> Scalar:
    """Pearson's correlation; 0 if one of them is constant, which has no correlation with anything."""
    x, y = x - x.mean(), y - y.mean()
    scale = jnp.sqrt(jnp.square(x).sum() * jnp.square(y).sum())
    return jnp.where(scale > 0, (x * y).sum() / jnp.where(scale > 0, scale, 1), 0.0)


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


def top_overlap(a: Map, b: Map, share: float) -> Scalar:
    """The share of the largest absolute values of one map that are among the other's, `share` of all values each.

    Values that are equal at the border share the places that are left, so that a map that is equal everywhere has the
    overlap of chance. Feature agreement in Krishna et al. 2022, The disagreement problem in explainable machine
    learning, arXiv:2202.01602.
    """
    one, other = (_among_top(abs(values.ravel()), share) for values in (a, b))
    return jnp.minimum(one, other).sum() / one.sum()


def sign_agreement(a: Map, b: Map) -> Scalar:
    """The share of values with the same sign, of those that are not zero in both; NaN if there are none."""
    counted = (a != 0) | (b != 0)
    return ((jnp.sign(a) == jnp.sign(b)) & counted).sum() / counted.sum()


def _among_top(values: Float[Array, " n"], share: float) -> Float[Array, " n"]:
    """1 for each of the k largest of values from 0 on, 0 for others, and a fraction for those equal to the k-th."""
    k = max(1, round(share * values.size))
    last = smallest(values, values.size - k)
    above, tied = values > last, values == last
    return above + tied * ((k - above.sum()) / tied.sum())
