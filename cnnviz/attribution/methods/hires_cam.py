"""A layer's channels, each place weighed by its gradient."""

from cnnviz.attribution.methods.cams import CAM, Channels
from cnnviz.attribution.shapes import method
from cnnviz.types import Array


@method
class HiResCAM(CAM):
    """ReLU of the sum over channels of gradient times activation: sum_k dS/dA_ijk A_ijk.

    If the layer is followed by a linear one, the map without the ReLU sums to the score minus its bias. Draelos & Carin
    2020, Use HiResCAM instead of Grad-CAM (arXiv:2011.08891).
    """

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        return gradient
