"""Integrated gradients averaged over baselines drawn from a data set (GradientSHAP)."""

from typing import Any

import jax

from cnnviz.attribution.shapes import Raw, Sampled, as_images, check_noise, gradient, image_set, method, value
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class ExpectedGradients(Sampled):
    """E[(x - x') dS(x' + a (x - x'))/dx], with x' drawn from `baseline` and a uniform from 0 to 1.

    `baseline` is a set of images `[m ... c]`, by default one black image. With `noise`, a fraction of the image's
    range, Gaussian noise is added to x, as in GradientSHAP. The values sum to S(x) minus the mean of S over the
    baseline, up to the sampling error. Erion et al. 2021, Improving performance of deep learning models with axiomatic
    attribution priors and expected gradients (arXiv:1906.10670); Lundberg & Lee 2017 (arXiv:1705.07874).
    """

    noise: float = 0.0
    baseline: Any = image_set(default=0.0)

    random = True

    def __post_init__(self):
        super().__post_init__()
        check_noise(self.noise)

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        which, where, noise = jax.random.split(jax.random.fold_in(key, i), 3)
        images = as_images(self.baseline, image)
        deviation = self.noise * (image.max() - image.min())
        x = image + deviation * jax.random.normal(noise, image.shape, image.dtype) if self.noise else image
        return x, images[jax.random.randint(which, (), 0, len(images))], jax.random.uniform(where, dtype=image.dtype)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        x, baseline, a = sample
        return (x - baseline) * gradient(score, baseline + a * (x - baseline))

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return total / self.count

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        return value(score, image) - jax.vmap(lambda x: value(score, x))(as_images(self.baseline, image)).mean()
