"""A map averaged over noisy copies of the image."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax

from cnnviz.attribution.layers import Place
from cnnviz.attribution.methods.gradient import Gradient
from cnnviz.attribution.shapes import Method, Raw, Sampled, Stepwise, arrays, check_noise, evaluate, method
from cnnviz.errors import InputError, InputTypeError
from cnnviz.types import Array, Image, Key, PyTree, Score


@method
class SmoothGrad(Sampled):
    """The mean of a base method's raw values over copies of the image with Gaussian noise: E[M(x + noise)].

    The noise's standard deviation is `noise` times the image's range, max minus min; `base` is the gradient, or any
    method that does not go step by step. For a linear score the mean is the base's map of the image.
    Smilkov et al. 2017, SmoothGrad: removing noise by adding noise (arXiv:1706.03825).
    """

    noise: float = 0.15
    base: Any = arrays(default=Gradient())

    random = True

    def __post_init__(self):
        super().__post_init__()
        check_noise(self.noise)
        if not isinstance(self.base, Method):
            raise InputTypeError(f'base is a method, as build("gradient") makes it; it was {self.base!r}.')
        if isinstance(self.base, Stepwise):
            raise InputError(f"{type(self.base).__name__} is a stepwise method, which cannot be smoothed.")

    @property
    def cost(self) -> int:
        return self.base.count if isinstance(self.base, Sampled) else 1

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return replace(self, base=self.base.fitted_to(places, image_shape))

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        key = jax.random.fold_in(key, i)
        noise = jax.random.normal(key, image.shape, image.dtype) * self.noise * (image.max() - image.min())
        return image + noise, jax.random.fold_in(key, 1)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return evaluate(self.base, score, *sample)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return jax.tree.map(lambda leaf: leaf / self.count, total)
