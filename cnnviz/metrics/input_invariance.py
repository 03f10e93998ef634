"""Whether a map stays as it is if all images are shifted and the network undoes the shift."""

from math import isfinite
from typing import Any

import jax.numpy as jnp

from cnnviz.attribution.shapes import method
from cnnviz.batching import Report
from cnnviz.errors import InputError
from cnnviz.metrics.explainer import Explainer
from cnnviz.metrics.max_sensitivity import length
from cnnviz.metrics.remade import OfMethod
from cnnviz.metrics.shifted import Shifted
from cnnviz.types import Key


@method
class InputInvariance(OfMethod):
    """||M'(x + shift) - M(x)|| / ||M(x)||, where M' are maps of the network that first subtracts the shift.

    That network answers x + shift exactly as the first one answers x, so its maps should be the same: 0, and lower is
    better. Kindermans et al. 2017, The (un)reliability of saliency methods, section 3 (arXiv:1711.00867), who shift
    MNIST's images by one; Quantus asks whether all values are close.
    """

    shift: float = 1.0

    better = "lower"
    needs = "nonzero"

    def __post_init__(self):
        if not isfinite(self.shift) or self.shift == 0:
            raise InputError(f"shift is what is added to each value, so a number that is not 0; it was {self.shift}.")

    def details(self, explainer: Explainer, maps: Any, key: Key, report: Report | None = None) -> tuple[Any, Any]:
        model = Shifted(explainer.model, self.shift)
        shifted = explainer.with_(model=model, images=jnp.asarray(explainer.images) + self.shift)
        changed = length(jnp.asarray(shifted.maps(report)) - maps)
        return changed / length(jnp.asarray(maps)), ()
