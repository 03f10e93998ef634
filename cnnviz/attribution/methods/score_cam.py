"""A layer's channels, each weighed by the score of the image masked by it."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.channels import ByChannel
from cnnviz.attribution.present import UPSAMPLING, scaled, upsampled
from cnnviz.attribution.shapes import method
from cnnviz.attribution.tokens import as_channels
from cnnviz.errors import check_known
from cnnviz.types import Array, Image, PyTree, Score


@method
class ScoreCAM(ByChannel):
    """ReLU of the channels' sum, each weighed by softmax_k S(x * M_k).

    M_k is the channel upsampled to the image's size and scaled to 0 to 1; the softmax is over a layer's channels.
    `mask_upsampling` is how a channel is upsampled ("bilinear_corners" as in pytorch-grad-cam). No gradient is taken;
    there is one forward pass per channel.
    Wang et al. 2020, Score-CAM: score-weighted visual explanations (arXiv:1910.01279).
    """

    mask_upsampling: str = "bilinear"

    def __post_init__(self):
        super().__post_init__()
        check_known("upsampling", self.mask_upsampling, UPSAMPLING)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        activations = score(image, {})[1]
        channels = [as_channels(activations[name], image.shape) for name in self.layers or ()]
        masks = [upsampled(values, image.shape[:-1], self.mask_upsampling) for values in channels]
        mask = scaled(jnp.concatenate(masks, -1)[..., sample])
        return score(image * mask[..., None], {})[0]

    def weights(self, score: Array, found: Array) -> Array:
        return jax.nn.softmax(found)
