"""A layer's channels, each weighed by its mean gradient."""

from cnnviz.attribution.methods.cams import CAM, Channels, Map, over_places, weighed
from cnnviz.attribution.shapes import method


@method
class GradCAM(CAM):
    """ReLU of the channels' sum, each weighed by the mean over places of its gradient: sum_k mean_ij(dS/dA_ijk) A_k.

    Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks, eq. 1 and 2 (arXiv:1610.02391).
    """

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        mean = gradient
        for _ in over_places(gradient):  # one axis at a time, which XLA vectorizes over channels
            mean = mean.mean(0)
        return weighed(activation, mean)
