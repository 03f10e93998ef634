"""The correlation of a map with the score's fall over random subsets of n pixels, for several n."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.attribution.alike import correlation
from cnnviz.attribution.shapes import method, value
from cnnviz.metrics.shapes import Map, check_positive, check_share
from cnnviz.metrics.subsets import Subsets, random_subset
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class SensitivityN(Subsets):
    """The mean over n of corr(sum_{i in S} M_i, S(x) - S(x without S)) over random subsets S of n pixels.

    There are `sizes` values of n, evenly spaced on a logarithmic scale from 1 to the `share` of all pixels, and
    `samples` subsets for each; higher is better. For a linear score and the map w * (x - infill) it is 1. Ancona et al.
    2018, Towards better understanding of gradient-based attribution methods, section 4 (arXiv:1711.06104), by random
    subsets as there. Quantus' metric of this name is another one: it removes pixels in the map's order and correlates
    over images, not over subsets.
    """

    sizes: int = 10
    share: float = 0.8

    def __post_init__(self):
        super().__post_init__()
        check_positive(sizes=self.sizes)
        check_share(share=self.share)

    @property
    def count(self) -> int:
        return self.sizes * self.samples

    def subset(self, map: Map, key: Key, i: Array) -> Any:
        every = np.geomspace(1, max(1, map.size * self.share), self.sizes).round().astype(int)
        return random_subset(jax.random.fold_in(key, i), map.shape, jnp.asarray(every)[i // self.samples])

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        total, after = (each.reshape(self.sizes, self.samples) for each in found)
        return jax.vmap(correlation)(total, value(score, image) - after).mean()
