"""What Score-CAM and Ablation-CAM share: they try a layer's channels one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.methods.cams import Channels, over_places, parts, weighed
from cnnviz.attribution.shapes import Raw, Sampled, filled_in, method
from cnnviz.attribution.tokens import as_channels
from cnnviz.errors import InputError
from cnnviz.types import Array, Image, Int, Key, PyTree, Score


@method
class ByChannel(Sampled):
    """A method whose sample is one channel of one of its layers, and contributes one number.

    `max_channels` is how many channels of a layer are tried: those whose values have the largest standard
    deviation over the image's places, as in Faster Score-CAM (github.com/tabayashi0117/Score-CAM); the others have
    weight zero, and None tries all. `widths` are
    the layers' numbers of channels, filled in from the model. `weights` turns the image's score and a layer's
    contributed numbers into the weights of the channels that were tried.
    """

    samples: int = filled_in(default=50)
    layers: Layers = None
    widths: tuple[int, ...] = filled_in(default=())
    relu: bool = True
    by_channel: bool = filled_in(default=False)
    max_channels: int | None = None

    keep = True
    maps = True

    def __post_init__(self):
        super().__post_init__()
        if self.max_channels is not None and self.max_channels < 1:
            raise InputError(f"max_channels is at least 1, or None for all channels; it was {self.max_channels}.")

    @property
    def tried(self) -> tuple[int, ...]:
        """How many channels of each layer are tried."""
        return tuple(min(width, self.max_channels or width) for width in self.widths)

    @property
    def count(self) -> int:
        return sum(self.tried) or self.samples

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        names = choose(self.layers, places)
        widths = {place.name: place.shape[-1] for place in places}
        return replace(self, layers=names, widths=tuple(widths[name] for name in names))

    def channels_of(self, maps: Mapping[str, Array], sample: Array) -> dict[str, Int[Array, ""]]:
        """For each layer the channel that a sample is; -1 if it is one of another layer."""
        found, start = {}, 0
        for name, count in zip(self.layers or (), self.tried, strict=True):
            inside = (sample >= start) & (sample < start + count)
            found[name] = jnp.where(inside, order(maps[name], count)[jnp.clip(sample - start, 0, count - 1)], -1)
            start += count
        return found

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        value, activations = score(image, {})
        starts = [sum(self.tried[:i]) for i in range(len(self.tried))]
        maps = {}
        for name, start, count in zip(self.layers or (), starts, self.tried, strict=True):
            values = as_channels(activations[name], image.shape)
            weights = jnp.zeros(values.shape[-1], total.dtype)
            weights = weights.at[order(values, count)].set(self.weights(value, total[start : start + count]))
            maps[name] = (parts if self.by_channel else weighed)(values, weights)
        return jax.tree.map(jax.nn.relu, maps) if self.relu and not self.by_channel else maps

    def weights(self, score: Array, found: Array) -> Array:
        raise NotImplementedError


def order(maps: Channels, count: int) -> Int[Array, " k"]:
    """The indices of the `count` channels with the largest deviation over places; all channels in their own order."""
    if count == maps.shape[-1]:
        return jnp.arange(count)
    return jax.lax.top_k(maps.std(over_places(maps)), count)[1]
