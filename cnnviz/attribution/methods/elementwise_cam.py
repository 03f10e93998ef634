"""Gradient times activation, of which only positive values count."""

import jax.numpy as jnp

from cnnviz.attribution.methods.cams import CAM, Channels
from cnnviz.attribution.shapes import method
from cnnviz.types import Array


@method
class ElementwiseCAM(CAM):
    """The sum over channels of ReLU(gradient times activation): sum_k max(dS/dA_ijk A_ijk, 0).

    HiResCAM with the ReLU before the sum over channels. It has no paper: GradCAMElementWise of Gildenblat 2021,
    pytorch-grad-cam (github.com/jacobgil/pytorch-grad-cam).
    """

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        return jnp.where(activation * gradient > 0, gradient, 0)
