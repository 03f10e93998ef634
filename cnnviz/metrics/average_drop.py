"""How much of the probability is lost if only what the map shows is seen."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import method
from cnnviz.metrics.masked import Masked
from cnnviz.types import Scalar


@method
class AverageDrop(Masked):
    """max(0, Y - O) / Y, where Y is the probability for the image and O that for the image times the map.

    A share, which the paper gives in percent; lower is better. Chattopadhyay et al. 2018, Grad-CAM++, section 5.1
    (arXiv:1710.11063). Equal to Xplique's AverageDropMetric with `absolute=True`, up to its epsilon.
    """

    better = "lower"
    of_shares = True

    def compared(self, before: Scalar, after: Scalar) -> Scalar:
        return jnp.where(before == 0, 0, jax.nn.relu(before - after) / jnp.where(before == 0, 1, before))
