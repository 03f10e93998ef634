"""A layer's channels, each weighed by the mean of its gradients under the channel's activations."""

import jax.numpy as jnp

from cnnviz.attribution.methods.cams import CAM, Channels, over_places
from cnnviz.attribution.shapes import method
from cnnviz.types import Array


@method
class XGradCAM(CAM):
    """ReLU of the channels' sum, each weighed by sum_ij dS/dA_ijk A_ijk / sum_ij A_ijk; 0 if that sum is 0.

    The map without the ReLU has the same sum as gradient times activation. Fu et al. 2020, Axiom-based Grad-CAM
    (arXiv:2008.02312).
    """

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        mass = activation.sum(over_places(activation), keepdims=True)
        share = jnp.where(mass == 0, 0, activation / jnp.where(mass == 0, 1, mass))
        return (gradient * share).sum(over_places(gradient))
