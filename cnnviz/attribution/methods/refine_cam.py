"""The product of class activation maps of several layers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.methods.grad_cam import GradCAM
from cnnviz.attribution.present import upsampled
from cnnviz.attribution.shapes import Direct, Raw, arrays, method
from cnnviz.errors import InputTypeError
from cnnviz.types import Array, Image, Score


@method
class RefineCAM(Direct):
    """prod_l max(M_l, 0) / max M_l over the maps M_l of the `layers`, each upsampled bilinearly to the image's size.

    What a late layer finds, at the resolution of the earliest: it is high where all layers agree. `base` is the CAM of
    one layer, by default Grad-CAM (the authors' code has grad_cam_pp); `layers` are by default all that have places. If
    a layer's map is nowhere positive, the product is zero. RefineCAM 2026 (arXiv:2605.14641), as in pytorch-grad-cam.
    """

    layers: Layers = "all"
    base: Any = arrays(default=GradCAM())

    whole = True

    def __post_init__(self):
        if not isinstance(self.base, Direct):
            raise InputTypeError(f'base is a CAM, as build("grad_cam") makes it; it was {self.base!r}.')

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        layers = choose(self.layers, places)
        return replace(self, layers=layers, base=replace(self.base, layers=layers).fitted_to(places, image_shape))

    def __call__(self, score: Score, image: Image) -> Raw:
        maps: Mapping[str, Array] = self.base(score, image)
        product = jnp.ones(image.shape[:-1], image.dtype)
        for values in maps.values():
            product = product * upsampled(_to_one(values), image.shape[:-1], "bilinear")
        return jnp.expand_dims(product, -1)


def _to_one(values: Array) -> Array:
    """The positive values over the largest; zeros if there are none."""
    positive = jax.nn.relu(values)
    largest = positive.max()
    return jnp.where(largest > 0, positive / jnp.where(largest > 0, largest, 1), 0)
