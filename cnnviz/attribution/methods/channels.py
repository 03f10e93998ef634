"""What Score-CAM and Ablation-CAM share: they try a layer's channels one by one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.methods.cams import parts, weighed
from cnnviz.attribution.shapes import Raw, Sampled, method
from cnnviz.attribution.tokens import as_channels
from cnnviz.types import Array, Image, Key, PyTree, Score


@method
class ByChannel(Sampled):
    """A method whose sample is one channel, by its index among the channels of all layers, and contributes one number.

    `widths` are the layers' numbers of channels, filled in from the model. `weights` turns the image's score and a
    layer's contributed numbers into the layer's weights.
    """

    layers: Layers = None
    widths: tuple[int, ...] = ()
    relu: bool = True
    by_channel: bool = False

    keep = True
    maps = True

    @property
    def count(self) -> int:
        return sum(self.widths) or self.samples

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        names = choose(self.layers, places)
        widths = {place.name: place.shape[-1] for place in places}
        return replace(self, layers=names, widths=tuple(widths[name] for name in names))

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        value, activations = score(image, {})
        starts = [sum(self.widths[:i]) for i in range(len(self.widths))]
        maps = {}
        for name, start, width in zip(self.layers or (), starts, self.widths, strict=True):
            weights = self.weights(value, total[start : start + width])
            combine = parts if self.by_channel else weighed
            maps[name] = combine(as_channels(activations[name], image.shape), weights)
        return jax.tree.map(jax.nn.relu, maps) if self.relu and not self.by_channel else maps

    def weights(self, score: Array, found: Array) -> Array:
        raise NotImplementedError
