"""How fast the answer rises as the most important pixels are put into an empty image."""

from typing import Any

from cnnviz.attribution.shapes import method, per_image
from cnnviz.metrics.curve import Curve
from cnnviz.metrics.shapes import filled, removed
from cnnviz.types import Array, Image, Key


@method
class Insertion(Curve):
    """The area under the probability of the class as pixels are put in, in the map's order; higher is better.

    What they are put into is the `infill`, the blurred image as in the paper. Petsiuk, Das & Saenko 2018, RISE:
    Randomized input sampling for explanation of black-box models, section 4.1 (arXiv:1806.07421). Equal to Xplique's
    Insertion with the same number of `steps` and `infill=0.0`, but for the order of ties.
    """

    infill: Any = per_image(default="blur")
    of: str = "probability"

    better = "higher"

    def perturbed(self, image: Image, changed: Array, key: Key) -> Image:
        return removed(filled(self.infill, image, key), changed, image)
