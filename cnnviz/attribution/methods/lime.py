"""A linear model of the score around the image."""

from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.estimates import Fitted, least_squares
from cnnviz.attribution.methods.masked import Masked
from cnnviz.attribution.shapes import Raw, method, value
from cnnviz.errors import InputError
from cnnviz.types import Array, Float, Image, Key, PyTree, Score


@method
class LIME(Masked):
    """The b that minimizes sum_z pi(z) (S(z) - a - b z)^2 + ridge |b|^2 over coalitions z.

    A segment is kept with probability 1/2, each by itself; the first coalition is the image. pi(z) is exp(-d^2 / 2
    width^2) with the cosine distance d = 1 - sqrt(kept / k). With `ridge` 0 a linear score has w (x - infill), if there
    are more samples than segments; the authors' code has 1. Ribeiro, Singh & Guestrin 2016, "Why should I trust you?":
    explaining the predictions of any classifier, eq. 2 (arXiv:1602.04938), with the kernel and the width of its
    authors' code.
    """

    samples: int = 1000
    width: float = 0.25
    ridge: float = 0.0

    random = True
    keep = True

    def __post_init__(self):
        super().__post_init__()
        for name, number, fits in (("width", self.width, self.width > 0), ("ridge", self.ridge, self.ridge >= 0)):
            if not fits:
                least = "positive" if name == "width" else "not negative"
                raise InputError(f"{name} is {least}; it was {number}.")

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        """Which segments are kept."""
        return jax.random.bernoulli(jax.random.fold_in(key, i), jnp.float32(0.5), (self.segments,)) | (i == 0)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return self.worth(score, image, sample)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(self._fitted(score, image, total, key).coefficients)

    def standard_error(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(self._fitted(score, image, total, key).error)

    def _fitted(self, score: Score, image: Image, worths: Float[Array, " n"], key: Key) -> Fitted:
        kept: Any = jax.vmap(lambda i: self.draw(key, i, image))(jnp.arange(self.samples))
        z, change = kept.astype(image.dtype), worths - value(score, image)
        distance = 1 - jnp.sqrt(z.mean(1))
        weights = jnp.exp(-jnp.square(distance / self.width) / 2)
        center = lambda values: values - jnp.tensordot(weights, values, 1)[None] / weights.sum()
        return least_squares(center(z), center(change), weights, self.ridge, pairs=False)
