"""Estimates with intervals: over images by the bootstrap, over seeds by Student's t."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from cnnviz.errors import InputError
from cnnviz.errors.ranges import FEWEST_RESAMPLES, check_range

LEVEL, RESAMPLES = 0.95, 2000
AT_ONCE = 2_000_000  # images of all resamples of one batch

Values = Float[np.ndarray, " n"]
Function = Callable[[Float[np.ndarray, "q b"]], Float[np.ndarray, "r b"]]


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its interval; NaN ends are those of no interval."""

    value: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of the interval's length: what follows a ±."""
        return (self.high - self.low) / 2

    def __format__(self, spec: str) -> str:
        spec = spec or ".4f"
        if not np.isfinite(self.value):
            return "–"
        shown = f"{self.value:{spec}}"
        return f"{shown} ({self.low:{spec}} to {self.high:{spec}})" if np.isfinite(self.half) else shown

    def __str__(self) -> str:
        return format(self, "")


class PValue(float):
    """A p-value, which is written with four decimals; a smaller one as <0.0001."""

    def __format__(self, spec: str) -> str:
        return "–" if np.isnan(self) else "<0.0001" if self < 0.0001 else f"{float(self):.4f}"

    def __str__(self) -> str:
        return format(self, "")


def check(level: float, resamples: int) -> None:
    """Raises InputError unless the level is between 0 and 1 and there are enough resamples for its tails."""
    check_range("level", level)
    check_range("resamples", resamples)


class Resampled(NamedTuple):
    """Values at all images and at each resample of them, and the ends of their percentile intervals."""

    values: Float[np.ndarray, " r"]
    draws: Float[np.ndarray, "r resamples"]
    low: Float[np.ndarray, " r"]
    high: Float[np.ndarray, " r"]

    @property
    def estimates(self) -> list[Estimate]:
        """The values with their intervals."""
        columns = (self.values.tolist(), self.low.tolist(), self.high.tolist())
        return [Estimate(*ends) for ends in zip(*columns, strict=True)]


def over_images(
    features: Float[np.ndarray, "q n"],
    function: Function = lambda means: means,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """The values of `function` at the means of the features, with bootstrap intervals over the n images.

    All features see the same resamples, so a difference is a paired one. Intervals are percentile intervals. Equal
    seeds draw equal resamples. Raises InputError for fewer than two images.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    return resampled(features, function, level=level, resamples=resamples, seed=seed).estimates


def resampled(
    features: Float[np.ndarray, "q n"],
    function: Function = lambda means: means,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Resampled:
    """As `over_images`, with the values of all resamples."""
    check(level, resamples)
    if (n := features.shape[1]) < 2:
        raise InputError(f"A bootstrap over images takes at least two; there {'is one' if n else 'are none'}.")
    at = function(features.mean(axis=1, keepdims=True))[:, 0]

    def statistic(chosen: Int[np.ndarray, "... n"], axis: int = -1) -> Float[np.ndarray, "r ..."]:
        found = function(features @ _counts(np.atleast_2d(chosen), n).T / n)
        return found if chosen.ndim > 1 else found[:, 0]

    own = {"confidence_level": level, "vectorized": True, "method": "percentile", "batch": max(1, AT_ONCE // n)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # of what is NaN; its interval is NaN too
        rng = np.random.default_rng(seed)
        found: Any = stats.bootstrap((np.arange(n),), statistic, n_resamples=resamples, rng=rng, **own)
    low, high = (np.array(ends, np.float64).ravel() for ends in found.confidence_interval)
    return Resampled(at, np.asarray(found.bootstrap_distribution), low, high)


def over_seeds(values: Values, level: float = LEVEL) -> Estimate:
    """The mean over seeds with Student's t interval; without an interval for one seed.

    A bootstrap over few seeds would be too short: of three, a percentile interval of 95% covers in about 75 of 100
    cases.
    """
    check(level, FEWEST_RESAMPLES)
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return Estimate(float(values.mean()), float("nan"), float("nan"))
    if np.ptp(values) == 0:
        return Estimate(float(values[0]), float(values[0]), float(values[0]))
    found = stats.ttest_1samp(values, 0.0).confidence_interval(level)
    return Estimate(float(values.mean()), float(found.low), float(found.high))


def difference_over_seeds(one: Values, other: Float[np.ndarray, " m"], level: float = LEVEL) -> tuple[Estimate, PValue]:
    """The difference of two means over seeds with Welch's interval, and the p-value of his t test.

    Without an interval unless both have two seeds or more.
    """
    check(level, FEWEST_RESAMPLES)
    value, nan = float(np.mean(one) - np.mean(other)), float("nan")
    if min(len(one), len(other)) < 2:
        return Estimate(value, nan, nan), PValue(nan)
    if np.ptp(one) == 0 and np.ptp(other) == 0:
        return Estimate(value, value, value), PValue(1.0 if value == 0 else 0.0)
    found: Any = stats.ttest_ind(one, other, equal_var=False)
    ends = found.confidence_interval(level)
    return Estimate(value, float(ends.low), float(ends.high)), PValue(found.pvalue)


def _counts(chosen: Int[np.ndarray, "b n"], n: int) -> Float[np.ndarray, "b n"]:
    """How often each image is in each resample."""
    b = len(chosen)
    places = (chosen + n * np.arange(b)[:, None]).ravel()
    return np.bincount(places, minlength=b * n).reshape(b, n).astype(np.float64)
