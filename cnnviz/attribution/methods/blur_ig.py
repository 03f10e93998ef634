"""Gradients integrated along a path from a blurred image to the image."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.infills import blurred
from cnnviz.attribution.layers import Place
from cnnviz.attribution.quadrature import quadrature
from cnnviz.attribution.shapes import Sampled, gradient, method, value
from cnnviz.errors import InputError
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score

SIGMA = 50 / 224  # of the longer side: the authors' 50 pixels for images of 224


@method
class BlurIG(Sampled):
    """-integral from 0 to `max_sigma` of dS(x_s)/dx dx_s/ds ds, where x_s is the image under a Gaussian of width s.

    Beyond its edges the image is black. By default `max_sigma` is 50 pixels for a side of 224, and in proportion for
    other sizes. The values sum to S(x) - S(x at max_sigma) up to the error of the `quadrature`.
    Xu, Venugopalan & Sundararajan 2020, Attribution in scale and space (arXiv:2004.03383).
    """

    samples: int = 100
    max_sigma: float | None = None
    quadrature: str = "midpoint"

    def __post_init__(self):
        super().__post_init__()
        quadrature(self.quadrature, self.samples)
        if self.max_sigma is not None and not self.max_sigma > 0:
            raise InputError(f"max_sigma is a width in pixels and must be positive; it was {self.max_sigma}.")

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        if len(image_shape) < 2:
            raise InputError(f"blur_ig needs images, signals or volumes to blur; these are vectors {image_shape}.")
        return self if self.max_sigma else replace(self, max_sigma=SIGMA * max(image_shape[:-1]))

    @property
    def widest(self) -> float:
        return self.max_sigma or SIGMA

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        nodes, weights = quadrature(self.quadrature, self.samples, image.dtype)
        return jnp.asarray(nodes)[i] * self.widest, jnp.asarray(weights)[i] * self.widest

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        sigma, weight = sample
        x, change = jax.jvp(lambda s: blurred(image, s, self.widest), (sigma,), (jnp.ones_like(sigma),))
        return -weight * gradient(score, x) * change

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        return value(score, image) - value(score, blurred(image, jnp.asarray(self.widest, image.dtype), self.widest))
