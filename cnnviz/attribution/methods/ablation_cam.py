"""A layer's channels, each weighed by the fraction of the score that is lost without it."""

import jax.numpy as jnp

from cnnviz.attribution.methods.channels import ByChannel
from cnnviz.attribution.shapes import method
from cnnviz.attribution.tokens import as_channels
from cnnviz.types import Array, Image, PyTree, Score


@method
class AblationCAM(ByChannel):
    """ReLU of the channels' sum, each weighed by (S - S_k) / S, where S_k is the score with channel k at zero.

    The channel is removed by an offset of minus itself. No gradient is taken; there is one forward pass per channel, of
    which `max_channels` limits the number. A score of zero gives zeros. Desai & Ramaswamy 2020, Ablation-CAM (WACV).
    """

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        activations = score(image, {})[1]
        maps = {name: as_channels(activations[name], image.shape) for name in self.layers or ()}
        offsets = {}
        for name, at in self.channels_of(maps, sample).items():
            values = activations[name]
            offsets[name] = jnp.where(jnp.arange(values.shape[-1]) == at, -values, 0)
        return score(image, offsets)[0]

    def weights(self, score: Array, found: Array) -> Array:
        return jnp.where(score == 0, 0, (score - found) / jnp.where(score == 0, 1, score))
