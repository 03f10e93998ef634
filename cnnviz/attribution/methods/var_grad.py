"""The variance of a map over noisy copies of the image."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.smooth_grad import SmoothGrad
from cnnviz.attribution.shapes import Raw, evaluate, method
from cnnviz.types import Image, Key, PyTree, Score


@method
class VarGrad(SmoothGrad):
    """The variance of a base method's raw values over noisy copies of the image: E[M^2] - E[M]^2, M = M(x + noise).

    Zero for a linear score. It is computed from M minus the map of the image itself, which has the same variance and
    loses no digits. Options as in SmoothGrad. Adebayo et al. 2018, Local explanation methods for deep neural networks
    lack sensitivity to parameter values (arXiv:1810.03307).
    """

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        center = evaluate(self.base, score, image, sample[1])
        difference = jax.tree.map(jnp.subtract, super().contribute(score, image, sample), center)
        return difference, jax.tree.map(jnp.square, difference)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        sums, squares = total
        variance = lambda s, q: jnp.maximum(q / self.count - jnp.square(s / self.count), 0)
        return jax.tree.map(variance, sums, squares)
