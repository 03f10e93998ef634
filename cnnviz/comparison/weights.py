"""Weights of layers in numbers: statistics, drift from the beginning, spectra, and whether two sets differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from cnnviz import kernels

Weights = Float[np.ndarray, "..."]
Row = dict[str, Any]


def flat(weights: Any) -> Float[np.ndarray, " n"]:
    """The finite weights as one vector in float64."""
    values = np.asarray(weights, np.float64).ravel()
    return values[np.isfinite(values)]


def spectrum(weights: Any) -> Float[np.ndarray, " k"]:
    """The singular values of a kernel as a matrix with one row per weight of an output and one column per output.

    The largest is first; there are none if a weight is not finite.
    """
    matrix = np.asarray(weights, np.float64).reshape(-1, np.shape(weights)[-1])
    return np.linalg.svd(matrix, compute_uv=False) if np.isfinite(matrix).all() else np.zeros(0)


def effective_rank(values: Float[np.ndarray, " k"]) -> float:
    """exp of the entropy of the singular values as shares of their sum, from 1 to their number; NaN if all are zero.

    Roy and Vetterli, "The effective rank: a measure of effective dimensionality", 2007.
    """
    total = values.sum()
    shares = values[values > 0] / total if total > 0 else np.zeros(0)
    return float(np.exp(-(shares * np.log(shares)).sum())) if shares.size else float("nan")


def stable_rank(values: Float[np.ndarray, " k"]) -> float:
    """The sum of the squared singular values by the square of the largest, from 1; NaN if all are zero."""
    return float((values**2).sum() / values.max() ** 2) if values.any() else float("nan")


def cosine(one: Any, other: Any) -> float:
    """The cosine of two sets of weights as vectors: exactly 1 for equal ones, NaN if one is zero and the other not."""
    one, other = (np.asarray(each, np.float64).ravel() for each in (one, other))
    if np.array_equal(one, other):
        return 1.0
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    return float(np.clip(one @ other / norms, -1, 1)) if norms > 0 else float("nan")


def statistics(weights: Any, beginning: Any = None, *, singular: Any = None) -> Row:
    """One layer in numbers: mean, deviation, extremes, norm, ranks and, with its beginning, how far it has drifted.

    `drift` is the norm of what training added, `relative drift` that by the norm of the beginning (infinite from
    zero), and `cosine` that of the layer with its beginning. `singular` are the singular values, if they are known.
    """
    values, singular = flat(weights), spectrum(weights) if singular is None else singular
    found: Row = {"weights": int(np.size(weights)), **kernels.statistics(np.asarray(weights))}
    found |= {"norm": float(np.linalg.norm(values)), "effective rank": effective_rank(singular)}
    found["stable rank"] = stable_rank(singular)
    if beginning is None:
        return found
    begun = np.asarray(beginning, np.float64)
    drift, norm = float(np.linalg.norm(np.asarray(weights, np.float64) - begun)), float(np.linalg.norm(begun))
    relative = drift / norm if norm else (0.0 if drift == 0 else float("inf"))
    return found | {"drift": drift, "relative drift": relative, "cosine": cosine(weights, begun)}


def two_samples(one: Any, other: Any) -> Row:
    """Whether two sets of weights have one distribution: the Kolmogorov-Smirnov test, and how large the difference is.

    `ks` is the largest distance of the two distribution functions, from 0 to 1, which is an effect size itself; `p` is
    its two-sided p-value, which thousands of weights make small for any difference. `cohens d` is the difference of
    the means in pooled deviations, `deviation ratio` that of the second set's deviation to the first's, and
    `wasserstein` the earth mover's distance in pooled deviations. All are NaN for a set without finite weights.
    """
    one, other = flat(one), flat(other)
    names = ("ks", "p", "cohens d", "deviation ratio", "wasserstein")
    if not one.size or not other.size:
        return dict.fromkeys(names, float("nan"))
    test: Any = stats.ks_2samp(one, other)
    pooled = float(np.sqrt((one.var() * one.size + other.var() * other.size) / (one.size + other.size)))
    by = lambda value: float(value / pooled) if pooled > 0 else (0.0 if value == 0 else float("nan"))
    ratio = float(other.std() / one.std()) if one.std() > 0 else (1.0 if other.std() == 0 else float("inf"))
    distance = stats.wasserstein_distance(one, other)
    return dict(
        zip(
            names,
            (float(test.statistic), float(test.pvalue), by(other.mean() - one.mean()), ratio, by(distance)),
            strict=True,
        )
    )


def chance(one: Any, other: Any) -> Row:
    """What two sets of weights with the same values in random order would give, in closed form.

    `ks` is the mean distance of the distribution functions of two samples of one distribution, by Kolmogorov's limit.
    `cosine` and its `deviation` are over all orders of the second set's weights, and `distance` is the root mean square
    of the distance; all three only for sets of one size. Sets with values that are not finite have NaN.
    """
    one, other = (np.asarray(each, np.float64).ravel() for each in (one, other))
    if not (one.size and other.size and np.isfinite(one).all() and np.isfinite(other).all()):
        return {"ks": float("nan")}
    found: Row = {"ks": float(stats.kstwobign.mean() * np.sqrt(1 / one.size + 1 / other.size))}
    if one.size != other.size or one.size < 2:
        return found
    product = one.size * one.mean() * other.mean()  # the mean over all orders of the inner product
    spread = one.std() * other.std() * one.size / np.sqrt(one.size - 1)
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    by = lambda value: float(value / norms) if norms > 0 else float("nan")
    distance = float(np.sqrt(max(one @ one + other @ other - 2 * product, 0)))
    return found | {"cosine": by(product), "deviation": by(spread), "distance": distance}


def differences(a: Mapping[str, Any], b: Mapping[str, Any], pairs: Sequence[tuple[str, str]]) -> list[Row]:
    """One row per pair of layers, with the test of their weights and, for equal shapes, distance and cosine."""
    rows = []
    for one, other in pairs:
        row: Row = {"layer": one if one == other else f"{one} / {other}", **two_samples(a[one], b[other])}
        if np.shape(a[one]) == np.shape(b[other]):
            difference = np.asarray(a[one], np.float64) - np.asarray(b[other], np.float64)
            row |= {"distance": float(np.linalg.norm(difference)), "cosine": cosine(a[one], b[other])}
        rows.append(row)
    return rows


def same_shapes(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    """Which layers of two networks are compared, and the names of those left over in each.

    Layers of one name and shape are a pair; the others are paired by shape, in their order.
    """
    alike = lambda one, other: np.shape(a[one]) == np.shape(b[other])
    pairs = {name: name for name in a if name in b and alike(name, name)}
    left = [name for name in b if name not in pairs]
    for name in a:
        if name not in pairs and (found := next((other for other in left if alike(name, other)), None)):
            pairs[name] = found
            left.remove(found)
    return [(name, pairs[name]) for name in a if name in pairs], [name for name in a if name not in pairs], left
