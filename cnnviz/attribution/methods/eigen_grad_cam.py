"""The first principal component of gradient times activation."""

from cnnviz.attribution.methods.cams import CAM, Channels, Map
from cnnviz.attribution.methods.eigen_cam import principal
from cnnviz.attribution.shapes import method


@method
class EigenGradCAM(CAM):
    """ReLU of the projection of dS/dA * A on its first principal component: an Eigen-CAM that depends on the class.

    EigenGradCAM of pytorch-grad-cam; after Muhammad & Yeasin 2020 (arXiv:2008.00299).
    """

    whole = True

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        return principal(activation * gradient)
