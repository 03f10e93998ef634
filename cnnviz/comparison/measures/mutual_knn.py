"""Mutual nearest neighbors."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from cnnviz.comparison.measures.measure import Features, Measure, centered
from cnnviz.errors import InputError, check_known

ROWS = 500  # images whose neighbors are looked for at once
Neighbors = Int[np.ndarray, "n neighbors"]


@dataclass(frozen=True)
class MutualKNN(Measure):
    """The mean share of an image's `k` nearest neighbors that are the same in both representations, from 0 to 1.

    By default nearness is cosine similarity, as in the paper, whose features are normalized: invariant to orthogonal
    maps and scale, not to translation. `nearness="euclidean"` is invariant to translation as well; "product" is the
    inner product. Of equally near images the first ones count. Unrelated representations share k / (n - 1). Huh et al.,
    "The platonic representation hypothesis", arXiv:2405.07987, Eq. 11.
    """

    invariant_to = ("orthogonal", "scale")
    WAYS: ClassVar[tuple[str, ...]] = ("cosine", "euclidean", "product")
    k: int = 10
    nearness: str = "cosine"

    def __post_init__(self) -> None:
        check_known("nearness", self.nearness, self.WAYS)
        if self.k < 1:
            raise InputError(f"k is a number of neighbors, at least 1; it was {self.k}.")

    def prepare(self, x: Features) -> Neighbors:
        """The neighbors of each image."""
        if len(x) < self.k + 2:
            what = f"The {self.k} nearest neighbors of an image need at least {self.k + 2} images"
            raise InputError(f"{what}; there are {len(x)}. Give more, or a smaller k.")
        points, shift = self._points(x)
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy lets other threads run while it sorts
            return np.concatenate([*pool.map(partial(self._nearest, points, shift), range(0, len(x), ROWS))])

    def compare(self, a: Neighbors, b: Neighbors) -> float:
        """The share of neighbors in common."""
        return float((a[:, :, None] == b[:, None, :]).sum() / a.size)

    def shuffled(self, prepared: Neighbors, order: np.ndarray) -> Neighbors:
        """The neighbors of the images in another order, by their new places."""
        places = np.empty(len(order), prepared.dtype)
        places[order] = np.arange(len(order))
        return places[prepared[order]]

    def _points(self, x: Features) -> tuple[np.ndarray, np.ndarray]:
        """Rows, and what is added to each one's products, such that a greater sum is nearer."""
        if self.nearness == "product":
            return x, np.zeros((1, len(x)), x.dtype)
        x = centered(x) if self.nearness == "euclidean" else x / np.abs(x).max()
        squares = np.square(x).sum(axis=1)
        if self.nearness == "euclidean":
            return x, -squares[None, :] / 2
        return x / np.sqrt(np.where(squares > 0, squares, 1))[:, None], np.zeros((1, len(x)), x.dtype)

    def _nearest(self, points: np.ndarray, shift: np.ndarray, first: int) -> Neighbors:
        """The neighbors of some images, those from `first` on."""
        nearness = points[first : first + ROWS] @ points.T + shift
        rows = np.arange(len(nearness))
        nearness[rows, first + rows] = -np.inf  # an image is not its own neighbor
        found = np.argpartition(nearness, -self.k, axis=1)[:, -self.k :]
        least = np.take_along_axis(nearness, found, axis=1).min(axis=1, keepdims=True)
        tied = (nearness >= least).sum(axis=1) > self.k
        if tied.any():
            found[tied] = np.argsort(-nearness[tied], axis=1, kind="stable")[:, : self.k]
        return found.astype(np.int32)
