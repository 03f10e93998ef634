"""A layer's channels, each weighed by the fraction of the score that is lost without it."""

import jax.numpy as jnp

from cnnviz.attribution.methods.channels import ByChannel
from cnnviz.attribution.shapes import method
from cnnviz.types import Array, Image, PyTree, Score


@method
class AblationCAM(ByChannel):
    """ReLU of the channels' sum, each weighed by (S - S_k) / S, where S_k is the score with channel k at zero.

    The channel is removed by an offset of minus itself. No gradient is taken; there is one forward pass per channel. A
    score of zero gives zeros. Desai & Ramaswamy 2020, Ablation-CAM (WACV).
    """

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        activations, start, offsets = score(image, {})[1], 0, {}
        for name, width in zip(self.layers or (), self.widths, strict=True):
            offsets[name] = jnp.where(jnp.arange(width) == sample - start, -activations[name], 0)
            start += width
        return score(image, offsets)[0]

    def weights(self, score: Array, found: Array) -> Array:
        return jnp.where(score == 0, 0, (score - found) / jnp.where(score == 0, 1, score))
