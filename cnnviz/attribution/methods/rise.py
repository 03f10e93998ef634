"""How the score goes with each place's visibility, over random smooth masks."""

from math import ceil
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import Raw, Sampled, method, per_image, value
from cnnviz.errors import InputError
from cnnviz.types import Array, Float, Image, Key, PyTree, Score


@method
class RISE(Sampled):
    """The covariance of the score and a random mask over p, E[(S(x M) - E S) M] / p: what is gained where M shows x.

    M is a grid of `cells` along each side, each visible with probability `visible` (p), upsampled bilinearly and
    shifted at random by less than a cell. With `centered` False it is E[S(x M) M] / p as in the paper, which has E S
    more everywhere. For a linear score and pixels that are masked each by itself it is (1 - p) w (x - infill). The
    paper takes 4000 to 8000 masks; the standard error says whether these are enough. Petsiuk, Das & Saenko 2018, RISE:
    randomized input sampling for explanation of black-box models, eq. 6 (arXiv:1806.07421).
    """

    samples: int = 1000
    cells: int = 7
    visible: float = 0.5
    centered: bool = True
    infill: Any = per_image(default=0.0)

    random = True
    channels = "mean"
    differentiates = False

    def __post_init__(self):
        super().__post_init__()
        if self.cells < 1:
            raise InputError(f"A mask has at least one cell along a side; cells was {self.cells}.")
        if not 0 < self.visible < 1:
            raise InputError(f"visible is a probability between 0 and 1; it was {self.visible}.")

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        """The mask, from 0 to 1, in the image's shape."""
        bits, shifts = jax.random.split(jax.random.fold_in(key, i))
        sides = image.shape[:-1] or image.shape
        cells = tuple(min(self.cells, n) if len(image.shape) > 1 else n for n in sides)
        mask = jax.random.bernoulli(bits, jnp.float32(self.visible), cells).astype(image.dtype)
        if len(image.shape) == 1:
            return mask
        shift = iter(jax.random.uniform(shifts, (sum(n > 1 for n in sides),), jnp.float32).astype(image.dtype))
        for axis, (n, count) in enumerate(zip(sides, cells, strict=True)):
            at = _upsampling(n, count, next(shift) if n > 1 else jnp.zeros((), image.dtype))
            mask = jnp.moveaxis(jnp.tensordot(at, mask, (1, axis)), 0, axis)
        return jnp.broadcast_to(mask[..., None], image.shape)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        change = value(score, sample * image + (1 - sample) * self.infill) - value(score, image)
        powers = [(s, m) for s in range(3) for m in range(3)]
        return {f"{s}{m}": change**s * sample**m for s, m in powers}

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        mean = {name: leaf / self.count for name, leaf in total.items()}
        if self.centered:
            return (mean["11"] - mean["10"] * mean["01"]) / self.visible
        return (mean["11"] + value(score, image) * mean["01"]) / self.visible

    def standard_error(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        """Of the mean of (S - a) (M - b): with `centered` a and b are the means, else a and b are 0."""
        mean = {name: leaf / self.count for name, leaf in total.items()}
        a = mean["10"] if self.centered else -value(score, image) * jnp.ones_like(image)
        b = mean["01"] if self.centered else jnp.zeros_like(image)
        of_change = lambda m: mean[f"2{m}"] - 2 * a * mean[f"1{m}"] + a**2 * mean[f"0{m}"]
        square = of_change(2) - 2 * b * of_change(1) + b**2 * of_change(0)
        center = mean["11"] - a * mean["01"] - b * (mean["10"] - a)
        spread = jnp.maximum(square - center**2, 0) / max(self.count - 1, 1)
        return jnp.sqrt(spread) / self.visible if self.count > 1 else jnp.full_like(spread, jnp.nan)


def _upsampling(n: int, cells: int, shift: Array) -> Float[Array, "n cells"]:
    """A grid's bilinear upsampling along one side to a cell more than n pixels, of which n are seen from `shift` on.

    `shift` is a share of a cell, from 0 to 1.
    """
    cell = ceil(n / cells)
    pixels = jnp.arange(n) + jnp.floor(shift * cell) + 0.5
    at = jnp.clip(pixels * cells / ((cells + 1) * cell) - 0.5, 0, cells - 1)
    return jnp.maximum(1 - jnp.abs(at[:, None] - jnp.arange(cells)[None]), 0)
