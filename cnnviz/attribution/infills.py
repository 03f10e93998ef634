"""INFILLS: values that replace removed regions of an image, which also serve as its baseline.

Each is a pure function of one image x `[... c]`, a key and the images `[m ... c]` of a data set, of which it may use
what it needs, and gives an image of the same shape. Sturmfels, Lundberg & Lee 2020, Visualizing the impact of feature
attribution baselines (doi:10.23915/distill.00022), compares most of them.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.types import Array, Float, Image, Key

Data = Any  # images [m ... c] of a data set, or None
SIGMA = 10 / 224  # of the longer side: 10 pixels for images of 224


class Infill(NamedTuple):
    """`fill(image, key, data)`, whether it draws at random, needs images of a data set, or needs images with places."""

    fill: Callable[[Image, Key, Data], Image]
    random: bool = False
    needs_data: bool = False
    spatial: bool = False


def black(image: Image, key: Key, data: Data) -> Image:
    """x'_ijk = 0."""
    return jnp.zeros_like(image)


def mean(image: Image, key: Key, data: Data) -> Image:
    """x'_ijk = mean_ab x_abk: one color, the mean over all places."""
    return jnp.broadcast_to(image.mean(tuple(range(image.ndim - 1)), keepdims=True), image.shape)


def blur(image: Image, key: Key, data: Data) -> Image:
    """x' = (g * x) / (g * 1), where g is a Gaussian whose width is 10 pixels for a side of 224, else in proportion.

    Dividing by g * 1 keeps the edges from darkening. Fong & Vedaldi 2017, Interpretable explanations of black boxes by
    meaningful perturbation (arXiv:1704.03296), with the width of its authors.
    """
    widest = SIGMA * max(image.shape[:-1])
    sigma = jnp.asarray(widest, image.dtype)
    return blurred(image, sigma, widest) / blurred(jnp.ones_like(image), sigma, widest)


def noise(image: Image, key: Key, data: Data) -> Image:
    """x'_ijk ~ U(min x, max x), each value by itself."""
    return jax.random.uniform(key, image.shape, image.dtype, image.min(), image.max())


def from_data(image: Image, key: Key, data: Data) -> Image:
    """x' ~ U(data): one of the data set's images, each equally likely."""
    return jnp.asarray(data, image.dtype)[jax.random.randint(key, (), 0, len(data))]


def negative(image: Image, key: Key, data: Data) -> Image:
    """x' = min x + max x - x: black becomes white, which Bach et al. 2015 call flipping a pixel."""
    return image.min() + image.max() - image


INFILLS = {
    "black": Infill(black),
    "mean": Infill(mean, spatial=True),
    "blur": Infill(blur, spatial=True),
    "noise": Infill(noise, random=True),
    "negative": Infill(negative),
    "data": Infill(from_data, random=True, needs_data=True),
}


def blurred(image: Image, sigma: Array, widest: float) -> Image:
    """The image under a Gaussian of width `sigma`, which is at most `widest`; beyond its edges it is black.

    A side of one pixel, such as the height of a signal kept as a picture, is not blurred.
    """
    for axis, n in enumerate(image.shape[:-1]):
        if n > 1:
            image = jnp.moveaxis(jnp.tensordot(_gaussian(n, sigma, widest), image, (1, axis)), 0, axis)
    return image


def _gaussian(n: int, sigma: Array, widest: float) -> Float[Array, "n n"]:
    """exp(-(i - j)^2 / 2 sigma^2), scaled so that a row without edges would sum to 1."""
    bell = lambda d: jnp.exp(-jnp.square(d) / (2 * jnp.square(jnp.maximum(sigma, 1e-3))))
    reach = math.ceil(5 * widest)
    at = jnp.arange(n, dtype=sigma.dtype)
    return bell(at[:, None] - at[None]) / bell(jnp.arange(-reach, reach + 1, dtype=sigma.dtype)).sum()
