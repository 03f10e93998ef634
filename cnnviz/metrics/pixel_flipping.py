"""How far the score falls, on average, as the most important pixels are flipped one by one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cnnviz.attribution.layers import Place
from cnnviz.attribution.shapes import method, per_image
from cnnviz.errors import check_known
from cnnviz.metrics.curve import Curve, area, steps_for
from cnnviz.metrics.shapes import Map, check_positive, filled, removed
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score

AREAS = ("over", "under")


@method
class PixelFlipping(Curve):
    """The area over the curve of the score, (1 / (L + 1)) sum_k S(x) - S(x_k); higher is better.

    x_k has the `pixels` * k most important pixels replaced by the `infill`, and L is the number of steps. Flipping is
    of Bach et al. 2015 (doi:10.1371/journal.pone.0130140), who flip one pixel at a time, on MNIST to its negative
    (`infill="negative"`); the area is that of Samek et al. 2017, Evaluating the visualization of what a deep neural
    network has learned, eq. 12 (arXiv:1509.06321). `steps` overrides `pixels`. Quantus has the curve without its first
    point, for probabilities unless its softmax is off, with the image's least value as "black", and its area by the
    trapezoidal rule with a step of 1; `area="under"` is the area under the complete curve over 0 to 1.
    """

    pixels: int = 1
    infill: Any = per_image(default="negative")
    of: str = "logit"
    area: str = "over"

    better = "higher"

    def __post_init__(self):
        super().__post_init__()
        check_positive(pixels=self.pixels)
        check_known("area", self.area, AREAS)

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        own = replace(self, steps=steps_for(image_shape, self.pixels)) if self.steps is None else self
        return Curve.fitted_to(own, places, image_shape)

    def amounts(self, features: int) -> np.ndarray:
        if self.steps != -(-features // self.pixels):
            return super().amounts(features)
        return np.minimum(np.arange(self.count) * self.pixels, features).astype(np.int32)

    def perturbed(self, image: Image, changed: Array, key: Key) -> Image:
        return removed(image, changed, filled(self.infill, image, key))

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        return area(found) if self.area == "under" else (found[0] - found).mean()
