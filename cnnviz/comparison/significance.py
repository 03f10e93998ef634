"""Tests of whether two networks differ: McNemar's exact test, and Holm's correction for several tests."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest

from cnnviz.comparison.estimates import PValue

Right = Bool[np.ndarray, " n"]


def mcnemar(only_one: int, only_other: int) -> PValue:
    """McNemar's exact p-value from how many images only the one network has right, and only the other.

    It is 1 where no image tells them apart. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", 1947.
    """
    different = only_one + only_other
    return PValue(binomtest(only_one, different, 0.5).pvalue if different else 1.0)


def table(one: Right, other: Right) -> tuple[tuple[int, int], tuple[int, int]]:
    """How many images both have right, only the one, only the other, and neither: ((both, one), (other, none))."""
    count = lambda a, b: int(np.sum((one == a) & (other == b)))
    return (count(True, True), count(True, False)), (count(False, True), count(False, False))


def holm(p: Sequence[float]) -> list[PValue]:
    """The p-values corrected for their number, in their order; NaN stays, and does not count.

    Rejecting those of at most α keeps the chance of any false rejection at most α. Holm, "A simple sequentially
    rejective multiple test procedure", 1979.
    """
    values = np.asarray(p, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    values[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [PValue(value) for value in values.tolist()]


def twice_the_median(p: Sequence[float]) -> PValue:
    """One p-value of several tests of the same hypothesis: twice their median, valid whatever their dependence.

    Meinshausen, Meier and Bühlmann, "p-values for high-dimensional regression", 2009 (arXiv:0811.2177).
    """
    return PValue(min(1.0, 2 * float(np.median(p))) if len(p) > 1 else float(p[0]))
