"""A layer's channels, each weighed by how much of the score is lost without it."""

import jax.numpy as jnp

from cnnviz.attribution.methods.channels import ByChannel
from cnnviz.attribution.shapes import method
from cnnviz.types import Array, Image, PyTree, Score


@method
class AblationCAM(ByChannel):
    """ReLU of the channels' sum, each weighed by (S - S_k) / S, where S_k is the score with channel k at zero.

    The channel is taken away by an offset of minus itself. No gradient is taken; as many forward passes as channels. A
    score of zero gives zeros. Desai & Ramaswamy 2020, Ablation-CAM (WACV).
    """

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        activations, start, offsets = score(image, {})[1], 0, {}
        for name, width in zip(self.layers or (), self.widths, strict=True):
            offsets[name] = jnp.where(jnp.arange(width) == sample - start, -activations[name], 0)
            start += width
        return score(image, offsets)[0]

    def weights(self, whole: Array, found: Array) -> Array:
        return jnp.where(whole == 0, 0, (whole - found) / jnp.where(whole == 0, 1, whole))
