"""The statistics of a layer's channels over a data set."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cnnviz.errors import InputError
from cnnviz.units.buckets import edges_of, quantiles, relative_error
from cnnviz.units.drawn import rank_error

PerChannel = Float[np.ndarray, " c"]


@dataclass(frozen=True)
class Top:
    """The k images with the largest values of each channel: the larger first, and of equal values the earlier image.

    `values` are the largest of the channel's map in the image `images`, and `places` its index there, the first of
    several; it has no columns for a layer without sides, such as a dense one.
    """

    images: Int[np.ndarray, "k c"]
    values: Float[np.ndarray, "k c"]
    places: Int[np.ndarray, "k c sides"]


@dataclass(frozen=True)
class LayerStatistics:
    """What the c channels of a layer, its last axis, do over `images` images: over all their values, at every place.

    `deviation` is the standard deviation of the population, `zeros` and `positives` count values. `counts`
    `[c, buckets]` say how many are in each of the buckets between `edges`, `edges[i] <= x < edges[i + 1]`: of all
    values, or, of more than 2^18 per channel, of about as many that are drawn at random (`rank_error`). `histogram`
    `[c, bins]` counts all values between edges that were asked for. `class_means` `[classes, c]` are the means over the
    images of each class, NaN for a class without images; `class_images` `[classes]` counts those. `covariance` is
    `[c, c]`, and `top` a `Top`. What was not asked for is None.
    """

    images: int
    places: int
    mean: PerChannel
    deviation: PerChannel
    low: PerChannel
    high: PerChannel
    zeros: Int[np.ndarray, " c"]
    positives: Int[np.ndarray, " c"]
    counts: Int[np.ndarray, "c buckets"]
    precision: int
    class_means: Any = None
    class_images: Any = None
    covariance: Any = None
    histogram: Any = None
    top: Any = None  # a Top

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.mean)

    @property
    def edges(self) -> Float[np.ndarray, " edges"]:
        """The edges of the buckets that `counts` counts, from minus to plus infinity."""
        return edges_of(self.precision)

    @property
    def zero(self) -> PerChannel:
        """The fraction of values that are zero."""
        return self.zeros / (self.images * self.places)

    @property
    def positive(self) -> PerChannel:
        """The fraction of values above zero."""
        return self.positives / (self.images * self.places)

    @property
    def dead(self) -> Bool[np.ndarray, " c"]:
        """Which channels are zero at every place of every image, as a ReLU that never opens."""
        return (self.low == 0) & (self.high == 0)

    @property
    def always_on(self) -> Bool[np.ndarray, " c"]:
        """Which channels are above zero at every place of every image."""
        return self.low > 0

    @property
    def sparsity(self) -> float:
        """The fraction of all the layer's values that are zero."""
        return float(self.zero.mean())

    @property
    def error(self) -> float:
        """How far a quantile may be from the value of that rank, as a fraction of that value (`quantile`)."""
        return relative_error(self.precision)

    @property
    def selectivity(self) -> Any:
        """The class-selectivity index, from 0 (all classes alike) to 1 (one class alone); None without labels.

        (highest - rest) / (highest + rest), of the highest class mean and of the mean of the others: Morcos et al.
        2018, "On the importance of single directions for generalization" (arXiv:1803.06959), section 2.3. It is 0
        for a channel that is zero everywhere, and NaN if a mean is negative, where it has no meaning, as before a ReLU.
        """
        if self.class_means is None:
            return None
        means = self.class_means[~np.isnan(self.class_means[:, 0])]
        if len(means) < 2:
            return np.full(self.channels, np.nan)
        highest = means.max(0)
        rest = (means.sum(0) - highest) / (len(means) - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            index = (highest - rest) / (highest + rest)
        return np.where((means < 0).any(0), np.nan, np.where(highest == 0, 0.0, index))

    @property
    def correlation(self) -> Any:
        """The correlation between channels over places and images; NaN for a constant one. None without covariance."""
        if self.covariance is None:
            return None
        deviation = np.where(self.deviation > 0, self.deviation, np.nan)
        return self.covariance / (deviation[:, None] * deviation[None])

    @property
    def rank_error(self) -> float:
        """How far a quantile's rank may be from the one asked for, as a fraction of all values.

        A chance of 1e-9 remains that it is more. It is 0 where all values are counted, and by Hoeffding's inequality
        0.0064 where 2^18 are drawn.
        """
        counted, total = int(self.counts[0].sum()), self.images * self.places
        return rank_error(counted) if counted < total else 0.0

    def quantile(self, q: Any) -> Any:
        """The value of rank `ceil(q n)` of each channel's n values: `[c]` for a number q, `[m, c]` for m of them.

        It differs from that value by at most `error` times its magnitude, or 2^-16 for smaller ones, where all values
        are counted; else from the value of a rank that differs by at most `rank_error` n. Magnitudes above 2^16 share a
        bucket, for which the least or the largest value stands. Raises InputError for a q outside 0 to 1.
        """
        asked = np.asarray(q, np.float64)
        if not ((asked >= 0) & (asked <= 1)).all():
            raise InputError(f"A quantile is asked for by a number from 0 to 1; this was {q!r}.")
        found = quantiles(self.counts, self.precision, np.atleast_1d(asked))
        found = np.clip(found, self.low[None], self.high[None])
        return found if asked.ndim else found[0]
