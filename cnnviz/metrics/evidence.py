"""Methods by metrics: means with intervals over images and members, ranks, and paired tests, from numbers per image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata, spearmanr, wilcoxon

Numbers = Float[np.ndarray, "methods metrics members n"]
LEVEL, RESAMPLES, AT_ONCE = 0.95, 2000, 200


class Cell(NamedTuple):
    """The mean of one metric over images and members, the ends of its 95% interval, and its rank among the methods."""

    mean: float
    low: float
    high: float
    rank: float
    images: int


@dataclass(frozen=True)
class Evidence:
    """The number of each image and member by every method and metric; NaN where a metric is not defined for a map.

    `better` is "lower" or "higher" for each metric. Ranks are among the methods that are not `controls`.
    """

    methods: Sequence[str]
    metrics: Sequence[str]
    values: Numbers
    better: Sequence[str]
    controls: Sequence[str] = ()

    @cached_property
    def cells(self) -> dict[tuple[str, str], Cell]:
        """Each method and metric's cell."""
        return {
            (method, metric): Cell(*interval(self.values[i, j]), self.ranks[i, j], self.defined[i, j])
            for i, method in enumerate(self.methods)
            for j, metric in enumerate(self.metrics)
        }

    @cached_property
    def means(self) -> Float[np.ndarray, "methods metrics"]:
        """The mean over the images and members that each is defined for; NaN if there are none."""
        count = np.isfinite(self.values).sum((2, 3))
        return np.where(count > 0, np.nansum(self.values, (2, 3)) / np.maximum(count, 1), np.nan)

    @cached_property
    def defined(self) -> np.ndarray:
        """On how many images and members each number rests."""
        return np.isfinite(self.values).sum((2, 3))

    @cached_property
    def signs(self) -> np.ndarray:
        """1 for metrics of which more is better, -1 for the others."""
        return np.array([1.0 if better == "higher" else -1.0 for better in self.better])

    @cached_property
    def ranks(self) -> Float[np.ndarray, "methods metrics"]:
        """1 for the best mean of a metric; NaN for controls, and where there is no mean."""
        judged = np.array([method not in self.controls for method in self.methods])
        found = np.full(self.means.shape, np.nan)
        for j in range(len(self.metrics)):
            own = judged & np.isfinite(self.means[:, j])
            found[own, j] = rankdata(-self.signs[j] * self.means[own, j])
        return found

    @cached_property
    def mean_ranks(self) -> Float[np.ndarray, " methods"]:
        """Each method's mean rank over the metrics; NaN for controls."""
        count = np.isfinite(self.ranks).sum(1)
        return np.where(count > 0, np.nansum(self.ranks, 1) / np.maximum(count, 1), np.nan)

    def beats(self, control: str, alpha: float = 1 - LEVEL) -> np.ndarray:
        """Whether each method is better than the control by each metric, and Holm's p-value at most `alpha`."""
        place, found = list(self.methods).index(control), np.zeros(self.means.shape, bool)
        for j in range(len(self.metrics)):
            others = [i for i in range(len(self.methods)) if self.methods[i] not in self.controls]
            p = holm([paired(self.values[i, j], self.values[place, j]) for i in others])
            for i, value in zip(others, p, strict=True):
                found[i, j] = value <= alpha and self.signs[j] * (self.means[i, j] - self.means[place, j]) > 0
        return found

    def tests(self) -> list[dict[str, object]]:
        """Every pair of methods by every metric: the difference of means, and p of Wilcoxon's test, by Holm too."""
        rows: list[dict[str, object]] = []
        for j, metric in enumerate(self.metrics):
            pairs = list(combinations(range(len(self.methods)), 2))
            p = [paired(self.values[a, j], self.values[b, j]) for a, b in pairs]
            for (a, b), value, corrected in zip(pairs, p, holm(p), strict=True):
                names = {"metric": metric, "method": self.methods[a], "other": self.methods[b]}
                apart = float(self.means[a, j] - self.means[b, j])
                rows.append({**names, "difference": apart, "p": value, "p (Holm)": corrected})
        return rows

    def agreement(self) -> Float[np.ndarray, "metrics metrics"]:
        """Spearman's correlation over the methods' means of every two metrics, turned so that better is higher."""
        good, count = self.means * self.signs, len(self.metrics)
        found = np.eye(count)
        for a, b in combinations(range(count), 2):
            known = np.isfinite(good[:, [a, b]]).all(1)
            differ = known.sum() > 2 and all(np.ptp(good[known, k]) > 0 for k in (a, b))
            found[a, b] = found[b, a] = correlated(*good[known][:, [a, b]].T) if differ else np.nan
        return found


def interval(values: Float[np.ndarray, "members n"]) -> tuple[float, float, float]:
    """The mean and its 95% interval, by a bootstrap over images and over members (Efron & Tibshirani 1993).

    Each resample draws images, and members if there are several; what is NaN is left out. NaN ends for fewer than two
    images.
    """
    known = np.isfinite(values)
    if not known.any():
        return float("nan"), float("nan"), float("nan")
    mean = float(values[known].mean())
    if known.any(0).sum() < 2:
        return mean, float("nan"), float("nan")
    rng, (members, n), found = np.random.default_rng(0), values.shape, []
    filled, known = np.where(known, values, 0.0), known.astype(np.float64)
    for _ in range(RESAMPLES // AT_ONCE):
        images = rng.multinomial(n, np.full(n, 1 / n), AT_ONCE)
        seeds = rng.multinomial(members, np.full(members, 1 / members), AT_ONCE)
        total, count = (np.einsum("rm,mn,rn->r", seeds, part, images, optimize=True) for part in (filled, known))
        found.append(total[count > 0] / count[count > 0])
    low, high = np.quantile(np.concatenate(found), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return mean, float(low), float(high)


def paired(one: Float[np.ndarray, "members n"], other: Float[np.ndarray, "members n"]) -> float:
    """The p-value of Wilcoxon's signed-rank test over images that both are defined for, of the means over members.

    1 if they do not differ on any image, NaN if there are none.
    """
    known = np.isfinite(one).all(0) & np.isfinite(other).all(0)
    apart = (one - other)[:, known].mean(0)
    if not len(apart):
        return float("nan")
    found: Any = wilcoxon(apart, zero_method="pratt") if apart.any() else None
    return 1.0 if found is None else float(found.pvalue)


def correlated(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> float:
    """Spearman's rank correlation."""
    found: Any = spearmanr(one, other)
    return float(found.statistic)


def holm(p: Sequence[float]) -> list[float]:
    """The p-values corrected for their number, in their order; NaN stays, and does not count (Holm 1979)."""
    values = np.asarray(p, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    values[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return values.tolist()


def curve_bands(curves: Float[np.ndarray, "n steps"]) -> Mapping[str, Float[np.ndarray, " steps"]]:
    """The mean curve over images, and the ends of a 95% bootstrap interval of it at every step."""
    rng, n = np.random.default_rng(0), len(curves)
    means = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) @ curves / n
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return {"mean": curves.mean(0), "low": low, "high": high}
