"""Gradients integrated along a path that blurs the image less and less."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.attribution.quadrature import quadrature
from cnnviz.attribution.shapes import Sampled, gradient, method, value
from cnnviz.errors import InputError
from cnnviz.types import Array, Float, Image, Key, PyTree, Scalar, Score

SIGMA = 50 / 224  # of the longer side: the authors' 50 pixels for images of 224


@method
class BlurIG(Sampled):
    """-integral from 0 to `max_sigma` of dS(x_s)/dx dx_s/ds ds, where x_s is the image under a Gaussian of width s.

    Beyond its edges the image is black. By default `max_sigma` is 50 pixels for a side of 224, and in proportion for
    others. The values sum to S(x) - S(x at max_sigma) up to the error of the `quadrature`.
    Xu, Venugopalan & Sundararajan 2020, Attribution in scale and space (arXiv:2004.03383).
    """

    samples: int = 100
    max_sigma: float | None = None
    quadrature: str = "midpoint"

    def __post_init__(self):
        super().__post_init__()
        quadrature(self.quadrature, self.samples)
        if self.max_sigma is not None and not self.max_sigma > 0:
            raise InputError(f"max_sigma is a width in pixels, so positive; it was {self.max_sigma}.")

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return self if self.max_sigma else replace(self, max_sigma=SIGMA * max(image_shape[:2]))

    @property
    def widest(self) -> float:
        return self.max_sigma or SIGMA

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        nodes, weights = quadrature(self.quadrature, self.samples)
        return jnp.asarray(nodes)[i] * self.widest, jnp.asarray(weights)[i] * self.widest

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        sigma, weight = sample
        x, change = jax.jvp(lambda s: blurred(image, s, self.widest), (sigma,), (jnp.ones_like(sigma),))
        return -weight * gradient(score, x) * change

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        return value(score, image) - value(score, blurred(image, jnp.asarray(self.widest), self.widest))


def blurred(image: Image, sigma: Array, widest: float) -> Image:
    """The image under a Gaussian of width `sigma`, which is at most `widest`; beyond its edges it is black."""
    rows, columns = (_gaussian(n, sigma, widest) for n in image.shape[:2])
    return jnp.einsum("ij,jkc,lk->ilc", rows, image, columns)


def _gaussian(n: int, sigma: Array, widest: float) -> Float[Array, "n n"]:
    """exp(-(i - j)^2 / 2 sigma^2), of which a row without edges would sum to 1."""
    bell = lambda d: jnp.exp(-jnp.square(d) / (2 * jnp.square(jnp.maximum(sigma, 1e-3))))
    reach = math.ceil(5 * widest)
    at = jnp.arange(n, dtype=jnp.float32)
    return bell(at[:, None] - at) / bell(jnp.arange(-reach, reach + 1, dtype=jnp.float32)).sum()
