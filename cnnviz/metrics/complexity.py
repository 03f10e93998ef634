"""How many pixels share a map: its entropy."""

import jax.numpy as jnp

from cnnviz.attribution.shapes import method
from cnnviz.metrics.shapes import Map, OfMap
from cnnviz.types import Image, Key, Scalar, Score


@method
class Complexity(OfMap):
    """The entropy -sum_i p_i log p_i of p_i = |M_i| / sum_j |M_j|, in nats: 0 for one pixel, log n for n equal ones.

    Lower is better. Bhatt, Weller & Moura 2020, Evaluating and aggregating feature-based model explanations,
    definition 5 (arXiv:2005.00631). Equal to Quantus and Xplique, up to their epsilons.
    """

    better = "lower"
    needs = "nonzero"

    def __call__(self, score: Score, image: Image, map: Map, key: Key) -> Scalar:
        p = shares(map)
        return -jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1)), 0).sum()


def shares(map: Map) -> Map:
    """Each feature's share of the sum of absolute values; zeros if that is 0."""
    largest = abs(map).max()
    values = abs(map) / jnp.where(largest > 0, largest, 1)  # so that tiny maps do not underflow
    total = values.sum()
    return values / jnp.where(total > 0, total, 1)
