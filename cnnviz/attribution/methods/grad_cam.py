"""A layer's channels, each weighed by its mean gradient."""

import jax.numpy as jnp

from cnnviz.attribution.methods.cams import CAM, Channels, Map
from cnnviz.attribution.shapes import method


@method
class GradCAM(CAM):
    """ReLU of the channels' sum, each weighed by the mean over places of its gradient: sum_k mean_ij(dS/dA_ijk) A_k.

    Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks, eq. 1 and 2 (arXiv:1610.02391).
    """

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        mean = gradient.mean(0).mean(0)  # in two steps, each of which XLA vectorizes over channels
        return jnp.einsum("hwc,c->hw", activation, mean)
