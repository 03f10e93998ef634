"""A layer's channels, each weighed by the score of the image seen through it."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.channels import ByChannel
from cnnviz.attribution.present import UPSAMPLING, scaled, upsampled
from cnnviz.attribution.shapes import method
from cnnviz.errors import unknown
from cnnviz.types import Array, Image, PyTree, Score


@method
class ScoreCAM(ByChannel):
    """ReLU of the channels' sum, each weighed by softmax_k S(x * M_k), M_k the channel at the image's size, 0 to 1.

    The softmax is over a layer's channels. `mask_upsampling` brings a channel to the image's size ("bilinear_corners"
    is pytorch-grad-cam's). No gradient is taken; as many forward passes as channels.
    Wang et al. 2020, Score-CAM: score-weighted visual explanations (arXiv:1910.01279).
    """

    mask_upsampling: str = "bilinear"

    def __post_init__(self):
        super().__post_init__()
        if self.mask_upsampling not in UPSAMPLING:
            raise unknown("upsampling", self.mask_upsampling, UPSAMPLING)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        activations = score(image, {})[1]
        side = image.shape[0], image.shape[1]
        masks = [upsampled(activations[name], side, self.mask_upsampling) for name in self.layers or ()]
        mask = scaled(jnp.concatenate(masks, -1)[:, :, sample])
        return score(image * mask[:, :, None], {})[0]

    def weights(self, whole: Array, found: Array) -> Array:
        return jax.nn.softmax(found)
