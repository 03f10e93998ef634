"""Shapley values of the image's segments, on the mean of random orders."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.estimates import error_of_mean, in_pairs
from cnnviz.attribution.methods.masked import Masked
from cnnviz.attribution.shapes import Raw, method
from cnnviz.types import Array, Image, Key, PyTree, Score


@method
class ShapleySampling(Masked):
    """What a segment adds to the score of those before it, S(z + segment) - S(z), on the mean of random orders.

    `samples` is the number of orders; each takes one forward pass per segment. With `antithetic`, every second order is
    the one before it reversed (Mitchell et al. 2022, Sampling permutations for Shapley value estimation,
    arXiv:2104.12199). The segments' values sum to S(x) - S(infill) exactly, and for a linear score they are
    w (x - infill) exactly. Castro, Gomez & Tejada 2009, Polynomial calculation of the Shapley value based on sampling
    (doi:10.1016/j.cor.2008.04.004).
    """

    samples: int = 26
    antithetic: bool = True

    random = True
    keep = True

    @property
    def cost(self) -> int:
        return max(self.segments - 1, 1)

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        """The order's place of each segment."""
        order = jax.random.permutation(jax.random.fold_in(key, i // 2 if self.antithetic else i), self.segments)
        return jnp.where(self.antithetic & (i % 2 == 1), self.segments - 1 - order, order)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        all_kept, none_kept = self.ends(score, image)
        first = lambda count: self.worth(score, image, sample < count)
        between = jax.vmap(first)(jnp.arange(1, self.segments))
        worths = jnp.concatenate([none_kept[None], between, all_kept[None]])
        return jnp.diff(worths)[sample]

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(total.mean(0))

    def standard_error(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(error_of_mean(in_pairs(total) if self.antithetic else total))
