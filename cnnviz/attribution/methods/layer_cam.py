"""A layer's channels, each place weighed by its gradient if that is positive."""

import jax

from cnnviz.attribution.methods.cams import CAM, Channels, Map
from cnnviz.attribution.shapes import method


@method
class LayerCAM(CAM):
    """ReLU of the sum over channels of max(dS/dA_ijk, 0) A_ijk.

    Jiang et al. 2021, LayerCAM: exploring hierarchical class activation maps (IEEE TIP 30).
    """

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        return (jax.nn.relu(gradient) * activation).sum(-1)
