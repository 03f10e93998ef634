"""What metrics of random subsets share: what the map gives a subset, against what removing it does to the score."""

from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Bool

from cnnviz.attribution.order import smallest
from cnnviz.attribution.shapes import method, per_image, value
from cnnviz.metrics.shapes import Map, Perturbing, check_of, check_positive, filled, removed
from cnnviz.types import Array, Image, Key, PyTree, Score

BITS_OF_DRAWS = 30  # that float32 values in [0, 1) may have set


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
    shared = True

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


def random_subset(key: Key, shape: tuple[int, ...], size: Any) -> Bool[Array, "..."]:
    """A mask of this shape with `size` places that are True, each such mask equally likely.

    These are the places with the smallest of as many random numbers; of equal numbers the first ones count.
    """
    places = prod(shape)
    drawn = jax.random.uniform(key, (places,), jnp.float32)
    last = smallest(drawn, size - 1, BITS_OF_DRAWS)
    below = drawn < last
    tied = jnp.where(drawn == last, jnp.arange(places, dtype=jnp.int32), places)
    chosen = below | (tied <= smallest(tied, size - below.sum() - 1, places.bit_length()))
    return chosen.reshape(shape)
