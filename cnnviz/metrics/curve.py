"""What insertion, deletion and pixel flipping share: the network's answer as features change in a map's order."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np

from cnnviz.attribution.layers import Place
from cnnviz.attribution.shapes import method, value
from cnnviz.errors import InputError
from cnnviz.metrics.order import check_ties, ranks
from cnnviz.metrics.shapes import Map, Perturbing, check_of, check_positive, check_share
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class Curve(Perturbing):
    """The answer after 0, 1, ... `steps` equal steps, in each of which the most important features left are changed.

    `steps` is None for as many as the image's longest side, which for images of 224 are the 224 steps of RISE's
    authors. `share` is which part of the features is changed in the end, and `ties` the order of equal values
    ("first": as they come in memory; "random").
    """

    steps: int | None = None
    share: float = 1.0
    ties: str = "first"

    needs = "varying"
    curved = True

    def __post_init__(self):
        check_positive(steps=self.steps)
        check_share(share=self.share)
        check_ties(self.ties)
        check_of(self.outcome)

    @property
    def count(self) -> int:
        return (self.steps or 0) + 1

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        most, values = max(image_shape[:-1] or image_shape), prod(image_shape)
        if self.steps is not None and self.steps > values:
            raise InputError(
                f"There are at most as many steps as an image has values, {values}; steps was {self.steps}."
            )
        return self if self.steps is not None else replace(self, steps=most)

    def draw(self, map: Map, key: Key, i: Array, image: Image) -> PyTree:
        changed = ranks(map, self.ties, key) < jnp.asarray(self.amounts(map.size))[i]
        return self.perturbed(image, changed, key)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return value(score, sample)

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        return area(found)

    def amounts(self, features: int) -> np.ndarray:
        """How many features are changed at each step, `[steps + 1]`."""
        return np.linspace(0, int(features * self.share), self.count).astype(np.int32)

    def perturbed(self, image: Image, changed: Array, key: Key) -> Image:
        """The image with these features changed."""
        raise NotImplementedError


def area(curve: Array) -> Scalar:
    """The area under a curve over 0 to 1, by the trapezoidal rule."""
    return ((curve[1:] + curve[:-1]) / 2).mean()


def steps_for(image_shape: tuple[int, ...], pixels: int) -> int:
    """How many steps of `pixels` features go through all of an image's places."""
    places = prod(image_shape[:-1] or image_shape)
    return -(-places // pixels)
