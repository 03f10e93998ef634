"""What metrics of members share: pairs of networks that differ only in their training, and their maps' distances."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.stats import rankdata

from cnnviz.attribution.shapes import method
from cnnviz.errors import InputError
from cnnviz.metrics.shapes import Metric


class Distances(NamedTuple):
    """The distances between two members' maps: where both are right, and where only one of them is."""

    same: Float[np.ndarray, " pairs"]
    other: Float[np.ndarray, " pairs"]


@method
class OfMembers(Metric):
    """A metric of several networks: `metric(maps, said, labels)` is one number for `maps` `[m n ...]` of m members.

    `said` `[m n]` are the predicted classes and `labels` `[n]` the true ones. Raises InputError for a single member.
    """

    better = "higher"
    needs = "varying"

    def __call__(
        self, maps: Shaped[Any, "m n ..."], said: Int[np.ndarray, "m n"], labels: Int[np.ndarray, " n"]
    ) -> float:
        return self.of_distances(distances(np.asarray(maps), said, labels))

    def of_distances(self, found: Distances) -> float:
        """The metric, from the distances."""
        raise NotImplementedError


def distances(
    maps: Float[np.ndarray, "m n ..."], said: Int[np.ndarray, "m n"], labels: Sequence[int] | np.ndarray
) -> Distances:
    """sqrt(1 - |Spearman's correlation|) of every pair of members' maps of an image that at least one has right.

    The images are ones that no member was trained on. Fel et al. 2022, section 3.2 (arXiv:2009.04521).
    """
    if len(maps) < 2:
        raise InputError(f"Agreement needs the maps of at least two networks trained alike; there are {len(maps)}.")
    ranked = rankdata(maps.reshape(*maps.shape[:2], -1), axis=-1)
    ranked -= ranked.mean(-1, keepdims=True)
    ranked /= np.maximum(np.linalg.norm(ranked, axis=-1, keepdims=True), 1e-30)
    same, other, right = [], [], said == np.asarray(labels)
    for i, j in combinations(range(len(maps)), 2):
        apart = np.sqrt(np.clip(1 - abs((ranked[i] * ranked[j]).sum(-1)), 0, 1))
        same.append(apart[right[i] & right[j]])
        other.append(apart[right[i] ^ right[j]])
    return Distances(np.concatenate(same), np.concatenate(other))
