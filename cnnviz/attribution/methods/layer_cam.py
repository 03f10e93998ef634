"""A layer's channels, each place weighed by its gradient if that is positive."""

import jax

from cnnviz.attribution.methods.cams import CAM, Channels
from cnnviz.attribution.shapes import method
from cnnviz.types import Array


@method
class LayerCAM(CAM):
    """ReLU of the sum over channels of max(dS/dA_ijk, 0) A_ijk.

    Jiang et al. 2021, LayerCAM: exploring hierarchical class activation maps (IEEE TIP 30).
    """

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        return jax.nn.relu(gradient)
