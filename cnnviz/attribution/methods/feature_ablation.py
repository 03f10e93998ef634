"""How much the score falls when a segment of the image is removed."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.attribution.methods.masked import Masked
from cnnviz.attribution.segments import Bounds, bounds_of
from cnnviz.attribution.shapes import Raw, method, value
from cnnviz.batching import WINDOW_ROWS
from cnnviz.fast.boxes import with_box
from cnnviz.fast.rewrite import faster
from cnnviz.types import Image, Key, PyTree, Score


@method
class FeatureAblation(Masked):
    """S(x) - S(x without the segment), for each segment of `mask`; the others stay.

    For a linear score it is the segment's sum of w (x - infill). One forward pass per segment; nothing is drawn unless
    the infill is. Zeiler & Fergus 2014, Visualizing and understanding convolutional networks, section 4.2
    (arXiv:1311.2901), for segments of any shape as in Captum's FeatureAblation.
    """

    bounds: Bounds | None = None

    keep = True
    at_once = WINDOW_ROWS
    rewritten = False  # `with_box` does it

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        fitted = super().fitted_to(places, image_shape)
        return replace(fitted, bounds=bounds_of(fitted.mask, image_shape)) if fitted.mask is not None else fitted

    @property
    def count(self) -> int:
        return max(self.segments, 1)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        changed = self.with_kept(image, jnp.arange(self.segments) != sample)
        if self.bounds is None:
            return value(faster(score), changed)
        return with_box(partial(value, score), image, changed, self.bounds.boxes, sample)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(value(score, image) - total)
