"""How unequally a map is distributed over the pixels: its Gini index."""

import jax.numpy as jnp

from cnnviz.attribution.shapes import method
from cnnviz.metrics.complexity import shares
from cnnviz.metrics.shapes import Map, OfMap
from cnnviz.types import Image, Key, Scalar, Score


@method
class Sparseness(OfMap):
    """The Gini index of the absolute values: 0 if all are equal, 1 - 1/n if one of n has everything.

    It is sum_k (2 k - n - 1) |M|_(k) / (n sum_k |M|_(k)) with the values in ascending order; higher is better.
    Chalasani et al. 2020, Concise explanations of neural networks using adversarial training (arXiv:1810.06583), after
    Hurley & Rickard 2009. Equal to Quantus and Xplique, up to their epsilons.
    """

    better = "higher"
    needs = "nonzero"

    def __call__(self, score: Score, image: Image, map: Map, key: Key) -> Scalar:
        values = jnp.sort(shares(map).ravel())
        n = values.size
        return ((2 * jnp.arange(1, n + 1) - n - 1) * values).sum() / n
