"""How much the score falls when a window slides over the image."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.attribution.methods.windows import Windows, windows_over
from cnnviz.attribution.shapes import Raw, Sampled, filled_in, method, per_image, value
from cnnviz.batching import WINDOW_ROWS
from cnnviz.fast.boxes import with_box
from cnnviz.types import Array, Image, Key, PyTree, Score


@method
class Occlusion(Sampled):
    """The mean of S(x) - S(x with the window's values replaced by `infill`) over the windows that cover a value.

    `window` and `stride` are in pixels: one number for all sides, one per side, or one per axis with the channels as
    the last. By default a window is a seventh of each side and the stride half of it. The first window is at the
    corner; the last one may reach beyond the edge, so that all values are covered if strides are no longer than
    windows. For a linear score and windows that do not overlap, values are the window's sum of w (x - infill). One
    forward pass per window. Zeiler & Fergus 2014, Visualizing and
    understanding convolutional networks, section 4.2 (arXiv:1311.2901).
    """

    window: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    infill: Any = per_image(default=0.0)
    over: Windows | None = filled_in(default=None)
    samples: int = filled_in(default=50)

    keep = True
    at_once = WINDOW_ROWS
    channels = "mean"
    rewritten = False  # `with_box` does it

    @property
    def count(self) -> int:
        return prod(self.over.counts) if self.over else self.samples

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return replace(self, over=windows_over(image_shape, self.window, self.stride))

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        return i

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        windows = self._windows
        changed = jnp.where(windows.inside(windows.corner(sample)), self.infill, image)
        return with_box(partial(value, score), image, changed, windows.boxes, sample)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self._windows.mean(value(score, image) - total)

    @property
    def _windows(self) -> Windows:
        assert self.over is not None  # `fitted_to` has filled it in
        return self.over
