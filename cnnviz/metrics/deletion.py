"""How fast the answer falls as the most important pixels are removed."""

from typing import Any

from cnnviz.attribution.shapes import method, per_image
from cnnviz.metrics.curve import Curve
from cnnviz.metrics.shapes import filled, removed
from cnnviz.types import Array, Image, Key


@method
class Deletion(Curve):
    """The area under the probability of the class as pixels are removed in the map's order; lower is better.

    Removed pixels have the `infill`, black as in the paper, where images are normalized so that it is gray; its
    authors remove one row's number of pixels at a time. Petsiuk, Das & Saenko 2018, RISE: Randomized input sampling for
    explanation of black-box models, section 4.1 (arXiv:1806.07421). Equal to Xplique's Deletion with the same number
    of `steps`, but for the order of ties, which is there the last first.
    """

    infill: Any = per_image(default="black")
    of: str = "probability"

    better = "lower"

    def perturbed(self, image: Image, changed: Array, key: Key) -> Image:
        return removed(image, changed, filled(self.infill, image, key))
