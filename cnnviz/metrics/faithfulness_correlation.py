"""Whether what a map gives to random subsets of pixels goes along with what removing them does to the score."""

from typing import Any

import jax

from cnnviz.attribution.alike import correlation
from cnnviz.attribution.shapes import method, value
from cnnviz.errors import InputError
from cnnviz.metrics.shapes import Map, check_positive
from cnnviz.metrics.subsets import Subsets, random_subset
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class FaithfulnessCorrelation(Subsets):
    """corr(sum_{i in S} M_i, S(x) - S(x without S)) over random subsets S of one size; higher is better.

    `size` is the number of pixels in a subset, None for the square root of all of them (224 of an image of 224x224, as
    in Quantus). For a linear score and the map w * (x - infill) it is 1. Bhatt, Weller & Moura 2020, Evaluating and
    aggregating feature-based model explanations, definition 4 (arXiv:2005.00631), by Pearson's correlation. Equal in
    expectation to Quantus with the same size, but for its normalization of maps, which no correlation sees.
    """

    size: int | None = None

    def __post_init__(self):
        super().__post_init__()
        check_positive(size=self.size)

    def subset(self, map: Map, key: Key, i: Array) -> Any:
        size = self.size if self.size is not None else max(1, round(map.size**0.5))
        if size >= map.size:
            raise InputError(f"A subset has fewer pixels than the map, which has {map.size}; size was {size}.")
        return random_subset(jax.random.fold_in(key, i), map.shape, size)

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        total, after = found
        return correlation(total, value(score, image) - after)
