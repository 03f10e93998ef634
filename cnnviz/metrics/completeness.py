"""Whether a map sums to what the image adds to the score of a baseline."""

from typing import Any

import jax.numpy as jnp

from cnnviz.attribution.shapes import method, per_image, value
from cnnviz.metrics.shapes import Map, OfMap, check_of, filled
from cnnviz.types import Image, Key, Scalar, Score


@method
class Completeness(OfMap):
    """|sum_i M_i - (S(x) - S(x'))| / |S(x) - S(x')|, where x' is the `infill`; 0 is completeness, lower is better.

    The error itself, in logits, without `relative`. Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep
    networks, proposition 1 (arXiv:1703.01365). Quantus asks whether both are equal in floating point, which no
    quadrature is.
    """

    infill: Any = per_image(default="black")
    relative: bool = True
    of: str = "logit"

    better = "lower"

    def __post_init__(self):
        check_of(self.of)

    def __call__(self, score: Score, image: Image, map: Map, key: Key) -> Scalar:
        added = value(score, image) - value(score, filled(self.infill, image, key))
        error = abs(map.sum() - added)
        return error / jnp.where(added == 0, 1, abs(added)) if self.relative else error
