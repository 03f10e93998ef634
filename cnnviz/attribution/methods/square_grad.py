"""The mean square of a map over noisy copies of the image."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.smooth_grad import SmoothGrad
from cnnviz.attribution.shapes import method
from cnnviz.types import Image, PyTree, Score


@method
class SquareGrad(SmoothGrad):
    """The mean square of a base method's raw values over noisy copies of the image: E[M(x + noise)^2].

    Never negative; for a linear score the square of the base's map. Options as in SmoothGrad. Hooker et al. 2019,
    A benchmark for interpretability methods, section 3 (arXiv:1806.10758).
    """

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return jax.tree.map(jnp.square, super().contribute(score, image, sample))
