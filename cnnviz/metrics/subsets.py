"""What metrics of random subsets share: what the map gives a subset, against what removing it does to the score."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Bool

from cnnviz.attribution.shapes import method, per_image, value
from cnnviz.metrics.shapes import Map, Perturbing, check_of, check_positive, filled, removed
from cnnviz.types import Array, Image, Key, PyTree, Score


@method
class Subsets(Perturbing):
    """A metric of `samples` random subsets: for each, the sum of the map within it and the fall of the score.

    Features of a subset are replaced by the `infill`.
    """

    samples: int = 100
    infill: Any = per_image(default="black")
    of: str = "logit"

    better = "higher"
    needs = "varying"
    random = True

    def __post_init__(self):
        check_positive(samples=self.samples)
        check_of(self.of)

    @property
    def count(self) -> int:
        return self.samples

    def subset(self, map: Map, key: Key, i: Array) -> Bool[Array, "..."]:
        """The i-th random subset as a mask in the map's shape."""
        raise NotImplementedError

    def draw(self, map: Map, key: Key, i: Array, image: Image) -> PyTree:
        mask = self.subset(map, key, i)
        return removed(image, mask, filled(self.infill, image, key)), jnp.where(mask, map, 0).sum()

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        perturbed, total = sample
        return total, value(score, perturbed)
