"""How often a network is right: intervals, precision, recall and F1 of each class, and p-values of several tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import binomtest

Counts = Int[np.ndarray, " k"]
Shares = Float[np.ndarray, " k"]


def interval(right: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's confidence interval of a share, `right` of `count`; all of 0 to 1 if nothing was counted.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if count == 0:
        return 0.0, 1.0
    found = binomtest(right, count).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def holm(p: Sequence[float] | Float[np.ndarray, " tests"]) -> list[float]:
    """The p-values corrected for their number, in their order; NaN stays, and does not count.

    Rejecting those of at most α keeps the chance of any false rejection at most α. Holm, "A simple sequentially
    rejective multiple test procedure", 1979.
    """
    values = np.array(p, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    values[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return values.tolist()


def top_right(p: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"], most: int) -> int:
    """How many images have their class among the `most` likeliest; none with a NaN does."""
    known = np.isfinite(p).all(axis=1)
    first = np.argsort(-p[known], axis=1, kind="stable")[:, :most]
    return int((first == labels[known, None]).any(axis=1).sum())


@dataclass(frozen=True)
class ByClass:
    """Of each class: how many images are of it, are taken for it, and both. NaN is a share of nothing."""

    images: Counts
    taken: Counts
    right: Counts

    @classmethod
    def of(cls, labels: Int[np.ndarray, " n"], said: Int[np.ndarray, " n"], k: int) -> "ByClass":
        """The counts for labels and predictions; -1 is an image without a prediction."""
        count = lambda classes: np.bincount(classes, minlength=k)
        return cls(count(labels), count(said[said >= 0]), count(labels[said == labels]))

    @classmethod
    def of_confusion(cls, counts: Int[np.ndarray, "k k"]) -> "ByClass":
        """The counts in a complete confusion matrix `[label, prediction]`."""
        return cls(counts.sum(1), counts.sum(0), np.diagonal(counts))

    @cached_property
    def recall(self) -> Shares:
        """The share of a class's images that are taken for it: its accuracy."""
        return _share(self.right, self.images)

    @cached_property
    def precision(self) -> Shares:
        """The share of the images taken for a class that are of it."""
        return _share(self.right, self.taken)

    @cached_property
    def f1(self) -> Shares:
        """The harmonic mean of precision and recall."""
        return _share(2 * self.right, self.images + self.taken)

    @property
    def macro_f1(self) -> float:
        """The mean F1 over the classes that occur, each counted once."""
        return mean(self.f1)


def mean(shares: Shares) -> float:
    """The mean of the shares that are not NaN; NaN if there are none."""
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if known.size else float("nan")


def _share(part: Counts, whole: Counts) -> Shares:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
