"""How well the class is still recognized when the most important pixels cannot be told from their surroundings."""

from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import method, value
from cnnviz.errors import InputError, check_known
from cnnviz.metrics.imputation import imputed
from cnnviz.metrics.order import check_ties, ranks
from cnnviz.metrics.shapes import Map, Perturbing, check_of
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score

ORDERS = ("most", "least")


@method
class ROAD(Perturbing):
    """The share of `percentages` of removed pixels with which the class is still the predicted one; lower is better.

    The most important pixels are removed first, and noisy linear imputation (`imputation.imputed`) hides which they
    were, so that the mask itself cannot tell the class. With `first="least"` the least important go first, and higher
    is better. Rong et al. 2022, A consistent and efficient evaluation strategy for attribution methods
    (arXiv:2202.00449). Equal in expectation to Quantus' ROAD at the same percentages; pytorch-grad-cam's is of the
    probability (`of="probability"`).
    """

    percentages: Any = (10, 20, 30, 40, 50, 60, 70, 80, 90)
    noise: float = 0.01
    first: str = "most"
    ties: str = "first"
    of: str = "correct"

    better = "lower"
    needs = "varying"
    random = True
    curved = True

    def __post_init__(self):
        check_known("order", self.first, ORDERS)
        check_ties(self.ties)
        check_of(self.of)
        given = self.percentages if isinstance(self.percentages, tuple | list) else (self.percentages,)
        object.__setattr__(self, "percentages", tuple(given))
        if not self.percentages or not all(0 < each < 100 for each in self.percentages):
            raise InputError(f"Percentages are more than 0 and less than 100; they were {self.percentages}.")

    @property
    def count(self) -> int:
        return len(self.percentages)

    def draw(self, map: Map, key: Key, i: Array, image: Image) -> PyTree:
        if image.ndim != 3:
            raise InputError(f"ROAD needs pictures (h, w, c); these inputs have the shape {image.shape}.")
        pixels = map if map.ndim == 2 else map.sum(-1)
        place = ranks(pixels, self.ties, key, ascending=self.first == "least")
        amounts = jnp.asarray([int(pixels.size * each / 100) for each in self.percentages])
        return imputed(image, place < amounts[i], self.noise, jax.random.fold_in(key, i))

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return value(score, sample)

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        return found.mean()
