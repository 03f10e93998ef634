"""Gradients integrated along the straight line from a baseline to the image."""

from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.quadrature import quadrature
from cnnviz.attribution.shapes import Raw, Sampled, method, per_image, value
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class IntegratedGradients(Sampled):
    """(x - x') times the mean gradient on the line between: (x - x') * integral of dS(x' + a (x - x'))/dx da.

    The integral is a sum over `samples` nodes of the named `quadrature`: gauss_legendre, midpoint, trapezoid, left or
    right. The values sum to S(x) - S(x') up to its error, the completeness gap.
    Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks, eq. 1 (arXiv:1703.01365).
    """

    quadrature: str = "gauss_legendre"
    baseline: Any = per_image(default=0.0)

    def __post_init__(self):
        super().__post_init__()
        quadrature(self.quadrature, self.samples)

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        nodes, weights = quadrature(self.quadrature, self.samples, image.dtype)
        return jnp.asarray(nodes)[i], jnp.asarray(weights)[i]

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        node, weight = sample
        x = self.baseline + node * (image - self.baseline)
        # The weight is inside, so that the gradient's linear end can be applied to the samples' sum (`linear_samples`).
        return jax.grad(lambda x: weight * value(score, x))(x)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return (image - self.baseline) * total

    def completeness_target(self, score: Score, image: Image) -> Scalar | None:
        return value(score, image) - value(score, jnp.broadcast_to(self.baseline, image.shape))
