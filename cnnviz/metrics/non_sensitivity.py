"""Whether a map is zero exactly for the pixels that do not matter."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.attribution.shapes import filled_in, method, per_image, value
from cnnviz.errors import InputError
from cnnviz.metrics.curve import steps_for
from cnnviz.metrics.shapes import Map, Perturbing, check_of, filled, over_channels, removed
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class NonSensitivity(Perturbing):
    """The share of pixels for which the map is zero and the pixel matters, or the other way round; lower is better.

    A pixel matters if the score without it, with the `infill` in its place, differs by at least `threshold`, and the
    map is zero where it is below the `threshold` times its largest absolute value. One forward pass per pixel. Nguyen &
    Rodriguez Martinez 2020, On quantitative aspects of model interpretability, section 4 (arXiv:2007.07584), who count
    the pixels.
    """

    threshold: float = 1e-5
    pixels: int | None = filled_in(default=None)
    infill: Any = per_image(default="black")
    of: str = "logit"

    better = "lower"
    shared = True

    def __post_init__(self):
        check_of(self.of)
        if not self.threshold > 0:
            raise InputError(f"threshold is positive; it was {self.threshold}.")

    @property
    def count(self) -> int:
        return self.pixels or 1

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return replace(self, pixels=steps_for(image_shape, 1))

    def draw(self, map: Map, key: Key, i: Array, image: Image) -> PyTree:
        pixels = self.by_pixel(map, image)
        mask = (jnp.arange(pixels.size) == i).reshape(pixels.shape)
        return removed(image, mask, filled(self.infill, image, key))

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return value(score, sample)

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        values = self.by_pixel(map, image).ravel()
        is_zero = values <= self.threshold * values.max()
        is_idle = abs(value(score, image) - found) < self.threshold
        return (is_zero != is_idle).mean()

    def by_pixel(self, map: Map, image: Image) -> Map:
        """The map's absolute value at each place of the image."""
        values = abs(over_channels(map, image))
        return values.sum(-1) if image.ndim > 1 else values
