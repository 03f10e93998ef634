"""Methods that try a layer's channels one by one: what Score-CAM and Ablation-CAM share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.shapes import Raw, Sampled, method
from cnnviz.types import Array, Image, PyTree, Score


@method
class ByChannel(Sampled):
    """A sample is one channel, by its number among those of all layers; what it contributes is one number.

    `widths` are the numbers of channels, which come from the model. `weights` makes a layer's weights of the numbers.
    """

    layers: Layers = None
    widths: tuple[int, ...] = ()
    relu: bool = True

    keep = True

    @property
    def count(self) -> int:
        return sum(self.widths) or self.samples

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        names = choose(self.layers, places)
        widths = {place.name: place.shape[-1] for place in places}
        return replace(self, layers=names, widths=tuple(widths[name] for name in names))

    def finish(self, score: Score, image: Image, total: PyTree) -> Raw:
        whole, activations = score(image, {})
        starts = [sum(self.widths[:i]) for i in range(len(self.widths))]
        maps = {}
        for name, start, width in zip(self.layers or (), starts, self.widths, strict=True):
            weights = self.weights(whole, total[start : start + width])
            maps[name] = jnp.einsum("hwc,c->hw", activations[name], weights)
        return jax.tree.map(jax.nn.relu, maps) if self.relu else maps

    def weights(self, whole: Array, found: Array) -> Array:
        raise NotImplementedError
