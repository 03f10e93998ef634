"""How much the score falls when a segment's values are those of other images."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.attribution.methods.estimates import error_of_mean
from cnnviz.attribution.methods.masked import Masked
from cnnviz.attribution.shapes import Raw, as_images, filled_in, image_set, method, value
from cnnviz.types import Array, Image, Key, PyTree, Score

SHUFFLE = "shuffle"


@method
class FeaturePermutation(Masked):
    """S(x) minus the mean of S(x with the segment's values from another image), which keeps what values are like.

    `infill` are the images `[m ... c]` of which each of `samples` draws takes one ("data": those of a data set). By
    default, "shuffle", it is the image itself with its places in a random order. The mean over a data set of images is
    Breiman's permutation importance; Captum's FeaturePermutation with the permutation p is feature_ablation with
    `infill=images[p]`. `samples` forward passes per segment. Breiman 2001, Random forests, section 10
    (doi:10.1023/A:1010933404324); Fisher, Rudin & Dominici 2019 (arXiv:1801.01489).
    """

    samples: int = 10
    infill: Any = image_set(default=SHUFFLE)
    own: bool = filled_in(default=False)

    random = True
    keep = True

    @property
    def count(self) -> int:
        return self.samples * max(self.segments, 1)

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        shuffled = isinstance(self.infill, str) and self.infill == SHUFFLE
        fitted = replace(self, infill=0.0, own=True) if shuffled else self
        return super(FeaturePermutation, fitted).fitted_to(places, image_shape)

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        """The segment's number, and the image that its values come from."""
        key = jax.random.fold_in(key, i // self.segments)
        if self.own:
            places = image.reshape(-1, image.shape[-1]) if image.ndim > 1 else image
            return i % self.segments, jax.random.permutation(key, places).reshape(image.shape)
        images = as_images(self.infill, image)
        return i % self.segments, images[jax.random.randint(key, (), 0, len(images))]

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        segment, other = sample
        return value(score, jnp.where(self.mask == segment, other, image))

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread((value(score, image) - self._by_draw(total)).mean(0))

    def standard_error(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(error_of_mean(self._by_draw(total)))

    def _by_draw(self, scores: Array) -> Array:
        return scores.reshape(self.samples, self.segments)
