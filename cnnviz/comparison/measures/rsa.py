"""Representational similarity analysis."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cnnviz.comparison.measures.hsic import Kernel
from cnnviz.comparison.measures.measure import Features, OfPairs, centered
from cnnviz.comparison.measures.rbf_cka import squared_distances
from cnnviz.errors import InputError, check_known

DIGITS = {8: 12, 4: 6}


@dataclass(frozen=True)
class RSA(OfPairs):
    """The rank correlation of two matrices of dissimilarities between images, from -1 to 1.

    The dissimilarity is 1 minus Pearson's correlation of two images' features, which is invariant to scale but depends
    on the features' axes and origin: orthogonal maps and translations change it. With `dissimilarity="euclidean"` both
    leave it unchanged. Pairs of different images are compared by Spearman's correlation, or with `by="pearson"` by
    Pearson's. Kriegeskorte, Mur and Bandettini, "Representational similarity analysis", 2008,
    doi:10.3389/neuro.06.004.2008.
    """

    invariant_to = ("scale",)
    WAYS: ClassVar[tuple[str, ...]] = ("correlation", "euclidean")
    BY: ClassVar[tuple[str, ...]] = ("spearman", "pearson")
    dissimilarity: str = "correlation"
    by: str = "spearman"

    def __post_init__(self) -> None:
        check_known("dissimilarity", self.dissimilarity, self.WAYS)
        check_known("way to compare dissimilarities", self.by, self.BY)

    def prepare(self, x: Features) -> Kernel:
        """The dissimilarities, or their ranks, minus their mean; zero on the diagonal, which does not count."""
        from scipy.stats import rankdata

        above = np.triu_indices(len(x), 1)
        values = self._dissimilarities(x)[above].round(DIGITS[x.dtype.itemsize])  # what differs by rounding is tied
        values = rankdata(values) if self.by == "spearman" else values
        values = values - values.mean()
        norm = np.sqrt(2 * np.square(values).sum())
        if norm == 0:
            raise InputError("All pairs of images are equally dissimilar, so there is nothing to correlate.")
        found = np.zeros((len(x), len(x)), x.dtype)
        found[above] = values / norm
        return found + found.T

    def _dissimilarities(self, x: Features) -> Kernel:
        if self.dissimilarity == "euclidean":
            return np.sqrt(squared_distances(centered(x)))
        if x.shape[1] < 2:
            raise InputError("The correlation of two images needs at least two features; there is 1.")
        rows = x / np.abs(x).max()
        rows = rows - rows.mean(axis=1, keepdims=True)
        norms = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
        rows = rows / np.where(norms > 0, norms, 1)
        return 1 - rows @ rows.T
