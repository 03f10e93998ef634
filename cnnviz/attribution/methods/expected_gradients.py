"""Integrated gradients averaged over baselines that are drawn from a data set (GradientSHAP)."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.attribution.shapes import Raw, Sampled, arrays, gradient, method, value
from cnnviz.errors import InputError
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class ExpectedGradients(Sampled):
    """E[(x - x') dS(x' + a (x - x'))/dx], with x' drawn from `references` and a uniform from 0 to 1.

    `references` are images `[m h w c]`, by default a black one. With `noise`, a share of the image's range, Gaussian
    noise is added to x, as GradientSHAP has it. The values sum to S(x) less the references' mean score, up to the
    samples' error. Erion et al. 2021, Improving performance of deep learning models with axiomatic attribution priors
    and expected gradients (arXiv:1906.10670); Lundberg & Lee 2017 (arXiv:1705.07874).
    """

    noise: float = 0.0
    references: Any = arrays(default=None)

    random = True

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        if self.references is not None and (self.references.ndim != 4 or self.references.shape[1:] != image_shape):
            shape = tuple(self.references.shape)
            raise InputError(f"References are images [m, {', '.join(map(str, image_shape))}]; these have {shape}.")
        return self

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        which, where, noise = jax.random.split(jax.random.fold_in(key, i), 3)
        references = self._references(image)
        deviation = self.noise * (image.max() - image.min())
        x = image + deviation * jax.random.normal(noise, image.shape) if self.noise else image
        return x, references[jax.random.randint(which, (), 0, len(references))], jax.random.uniform(where)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        x, reference, a = sample
        return (x - reference) * gradient(score, reference + a * (x - reference))

    def finish(self, score: Score, image: Image, total: PyTree) -> Raw:
        return total / self.count

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        return value(score, image) - jax.vmap(lambda x: value(score, x))(self._references(image)).mean()

    def _references(self, image: Image) -> Array:
        return jnp.zeros((1, *image.shape)) if self.references is None else jnp.asarray(self.references)
