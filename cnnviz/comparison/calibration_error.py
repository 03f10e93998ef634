"""Intervals of the expected calibration error, corrected for the error that chance alone gives.

The calibration error is a sum over bins of |gap|, so noise in a gap makes it larger: a network that is perfectly
calibrated has one above zero, and of 500 images a percentile interval never has the truth, a basic one in 3 of 4 cases.
Here the interval is what a test does not reject (Carpenter, "Test inversion bootstrap confidence intervals", 1999): for
each error that the gaps would have if all were smaller or larger by one factor, the distribution of what is measured
follows from the resamples. A difference has the interval that follows from both (Zou and Donner, "Construction of
confidence intervals about effect measures: a general approach", 2008).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cnnviz.comparison.estimates import Estimate

FACTORS = np.linspace(0, 2, 81)  # of the measured gaps
Gaps = Float[np.ndarray, "members bins"]
Errors = Float[np.ndarray, " resamples"]
Draws = Float[np.ndarray, "members bins resamples"]


class Corrected(NamedTuple):
    """The calibration error as measured, the one of which half of all measurements are larger, and the interval."""

    measured: float
    debiased: float
    low: float
    high: float

    @property
    def estimate(self) -> Estimate:
        """The measured error with the interval, which may lie below it."""
        return Estimate(self.measured, self.low, self.high)


def error_of(gaps: Float[np.ndarray, "members bins b"]) -> Float[np.ndarray, " b"]:
    """The calibration errors by the gaps of the bins, means over members."""
    return np.abs(gaps).sum(axis=1).mean(axis=0)


def corrected(gaps: Gaps, drawn: Draws, level: float) -> Corrected:
    """The calibration error with its interval; `gaps` are those measured, `drawn` those of the resamples."""
    measured = float(error_of(gaps[..., None])[0])
    if measured == 0 or not np.isfinite(measured):
        return Corrected(measured, measured, measured, measured)
    noise = drawn - gaps[..., None]
    ends = (1 + level) / 2, 0.5, (1 - level) / 2
    found = np.array([np.quantile(error_of(factor * gaps[..., None] + noise), ends) for factor in FACTORS])
    low, middle, high = (_factor(quantiles, measured) * measured for quantiles in found.T)
    return Corrected(measured, middle, low, high)


def _factor(quantiles: Float[np.ndarray, " factors"], measured: float) -> float:
    """The factor at which what was measured is this quantile; 0 if it is less even without gaps."""
    if quantiles[0] >= measured:
        return 0.0
    return float(np.interp(measured, np.maximum.accumulate(quantiles), FACTORS))


def difference(one: Corrected, other: Corrected, draws: tuple[Errors, Errors]) -> Estimate:
    """The difference of two measured errors; `draws` are both errors of the same resamples, for their correlation."""
    value = one.measured - other.measured
    if np.array_equal(draws[0], draws[1]):
        return Estimate(value, value, value)
    varies = all(np.ptp(each) > 0 for each in draws)
    rho = float(np.corrcoef(draws[0], draws[1])[0, 1]) if varies else 0.0
    up, down = (
        (one.debiased - one.low, other.high - other.debiased),
        (one.high - one.debiased, other.debiased - other.low),
    )
    half = lambda a, b: float(np.sqrt(max(a**2 + b**2 - 2 * rho * a * b, 0)))
    center = one.debiased - other.debiased
    return Estimate(value, center - half(*up), center + half(*down))
