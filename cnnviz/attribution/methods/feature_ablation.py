"""How much the score falls when a segment of the image is removed."""

import jax.numpy as jnp

from cnnviz.attribution.methods.masked import OneChanged
from cnnviz.attribution.shapes import Raw, filled_in, method, value
from cnnviz.batching import WINDOW_ROWS
from cnnviz.types import Image, Key, PyTree, Score


@method
class FeatureAblation(OneChanged):
    """S(x) - S(x without the segment), for each segment of `mask`; the others stay.

    For a linear score it is the segment's sum of w (x - infill). One forward pass per segment; nothing is drawn unless
    the infill is. Zeiler & Fergus 2014, Visualizing and understanding convolutional networks, section 4.2
    (arXiv:1311.2901), for segments of any shape as in Captum's FeatureAblation.
    """

    samples: int = filled_in(default=50)

    keep = True
    at_once = WINDOW_ROWS

    @property
    def count(self) -> int:
        return max(self.segments, 1)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        kept = jnp.arange(self.segments) != sample
        return self.with_changed(score, image, self.with_kept(image, kept), sample)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(value(score, image) - total)
