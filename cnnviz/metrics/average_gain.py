"""How much of the missing probability is gained if only what the map shows is seen."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import method
from cnnviz.metrics.masked import Masked
from cnnviz.types import Scalar


@method
class AverageGain(Masked):
    """max(0, O - Y) / (1 - Y), where Y is the probability for the image and O that for the image times the map.

    Symmetric to the average drop; higher is better, and 0 where Y is 1. Zhang et al. 2024, Opti-CAM: optimizing
    saliency maps for interpretability, eq. 19 (arXiv:2301.07002). Equal to Xplique's AverageGainMetric with
    `absolute=True`, up to its epsilon.
    """

    better = "higher"
    of_shares = True

    def compared(self, before: Scalar, after: Scalar) -> Scalar:
        left = 1 - before
        return jnp.where(left <= 0, 0, jax.nn.relu(after - before) / jnp.where(left <= 0, 1, left))
