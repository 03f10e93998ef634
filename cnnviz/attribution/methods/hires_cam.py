"""A layer's channels, each place weighed by its own gradient."""

from cnnviz.attribution.methods.cams import CAM, Channels, Map
from cnnviz.attribution.shapes import method


@method
class HiResCAM(CAM):
    """ReLU of the sum over channels of gradient times activation: sum_k dS/dA_ijk A_ijk.

    Where the layer goes straight into a linear one, the places' values (without the ReLU) sum to the score less its
    bias. Draelos & Carin 2020, Use HiResCAM instead of Grad-CAM (arXiv:2011.08891).
    """

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        return (activation * gradient).sum(-1)
