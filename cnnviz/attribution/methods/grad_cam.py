"""A layer's channels, each weighed by its mean gradient."""

from cnnviz.attribution.methods.cams import CAM, Channels, over_places
from cnnviz.attribution.shapes import method
from cnnviz.types import Array


@method
class GradCAM(CAM):
    """ReLU of the channels' sum, each weighed by the mean over places of its gradient: sum_k mean_ij(dS/dA_ijk) A_k.

    Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks, eq. 1 and 2 (arXiv:1610.02391).
    """

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        mean = gradient
        for _ in over_places(gradient):  # one axis at a time, which XLA vectorizes over channels
            mean = mean.mean(0)
        return mean
