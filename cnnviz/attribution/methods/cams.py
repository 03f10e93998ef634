"""What class activation maps share: a layer's channels are weighed and summed, and negative values cut off.

In formulas i and j are places, and c or k a channel; a signal has one axis of places and a volume three.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.shapes import Direct, Raw, at_layers, filled_in, method
from cnnviz.attribution.tokens import as_channels
from cnnviz.types import Array, Float, Image, Score

Channels = Float[Array, "*places c"]
Map = Float[Array, "*places"]


@method
class CAM(Direct):
    """A map of each layer from its activations and the score's gradients there; `relu` sets negatives to zero.

    `layers` are names, "all", or None for the last one after a nonlinearity (`layers.choose`). Tokens `[t d]`
    are laid out as a map without its class token (`tokens.as_map`). With `by_channel` (`channels="keep"`) it is one map
    per channel instead, each channel's part of the sum before the ReLU.
    """

    layers: Layers = None
    relu: bool = True
    by_channel: bool = filled_in(default=False)

    maps = True

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return replace(self, layers=choose(self.layers, places))

    def __call__(self, score: Score, image: Image) -> Raw:
        activations, gradients = at_layers(score, image, self.layers or ())
        places = lambda values: as_channels(values, image.shape)
        both = {name: (places(activations[name]), places(gradients[name])) for name in activations}
        if self.by_channel:
            return {name: parts(each[0], self.weights(*each)) for name, each in both.items()}
        maps = {name: self.cam(*each) for name, each in both.items()}
        return jax.tree.map(jax.nn.relu, maps) if self.relu else maps

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        """The layer's map, before the ReLU."""
        return weighed(activation, self.weights(activation, gradient))

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        """What each channel is multiplied by: one number per channel `[c]`, or one at each place."""
        raise NotImplementedError


def over_places(values: Channels) -> tuple[int, ...]:
    """The axes of places: all but the last."""
    return tuple(range(values.ndim - 1))


def weighed(activation: Channels, weights: Float[Array, "*places c"] | Float[Array, " c"]) -> Map:
    """The channels' sum, each with its weight: sum_k w_k A_k."""
    return jnp.einsum("...c,c->...", activation, weights) if weights.ndim == 1 else (activation * weights).sum(-1)


def parts(activation: Channels, weights: Float[Array, "*places c"] | Float[Array, " c"]) -> Channels:
    """Each channel's part of that sum: w_k A_k."""
    return activation * (weights if weights.ndim == activation.ndim else jnp.broadcast_to(weights, activation.shape))
