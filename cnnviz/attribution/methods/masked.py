"""What methods share that remove segments of the image and look at what becomes of the score."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.attribution.segments import Bounds, bounds_of, check_mask
from cnnviz.attribution.shapes import Sampled, filled_in, method, per_image, segmented, value
from cnnviz.fast.boxes import with_box
from cnnviz.fast.rewrite import faster
from cnnviz.types import Array, Bool, Float, Image, Key, Scalar, Score

Kept = Bool[Array, " k"]  # for each segment, whether it is kept


@method
class Masked(Sampled):
    """A method over the segments of `mask`, whose removed values are those of `infill`; S(z) is a coalition's score.

    A coalition z says for each segment whether it is kept: x_z = x where z is 1, and the infill elsewhere. `mask` is a
    text or integers (`attribution.segments`), by default a grid of 7 cells along each side. All values of a segment get
    the segment's number.
    """

    infill: Any = per_image(default=0.0)
    mask: Any = segmented(default=None)
    segments: int = filled_in(default=0)

    channels = "mean"
    differentiates = False

    def __post_init__(self):
        super().__post_init__()
        check_mask(self.mask)

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return replace(self, mask=self.usual_mask(image_shape)) if self.mask is None and not self.segments else self

    def usual_mask(self, image_shape: tuple[int, ...]) -> str:
        """The mask if none is given."""
        return "grid" if len(image_shape) > 1 else "values"

    def with_kept(self, image: Image, kept: Kept | Float[Array, " k"]) -> Image:
        """The image in which only the segments that are kept are left; of a number from 0 to 1, so much of each."""
        here = kept[self.mask]
        return jnp.where(here, image, self.infill) if kept.dtype == bool else here * image + (1 - here) * self.infill

    def worth(self, score: Score, image: Image, kept: Kept | Float[Array, " k"]) -> Scalar:
        """S(z), the score of a coalition."""
        return value(score, self.with_kept(image, kept))

    def ends(self, score: Score, image: Image) -> tuple[Scalar, Scalar]:
        """The scores with all segments and with none."""
        return value(score, image), value(score, jnp.broadcast_to(self.infill, image.shape))

    def coalitions(self, key: Key, image: Image) -> Bool[Array, "n k"]:
        """The coalitions of all samples, drawn again: `draw` says for each segment whether it is kept."""
        return jax.vmap(lambda i: self.draw(key, i, image))(jnp.arange(self.samples))

    def spread(self, numbers: Float[Array, " k"]) -> Image:
        """One number per segment as an image in which each value has its segment's."""
        return numbers[self.mask]


@method
class OneChanged(Masked):
    """A method that looks at images of which one segment differs; computed only where that reaches."""

    bounds: Bounds | None = filled_in(default=None)

    rewritten = False  # `with_box` does it

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        fitted = super().fitted_to(places, image_shape)
        return replace(fitted, bounds=bounds_of(fitted.mask, image_shape)) if fitted.mask is not None else fitted

    def with_changed(self, score: Score, image: Image, changed: Image, segment: Array) -> Scalar:
        """The score of `changed`, which differs from `image` only in this segment."""
        if self.bounds is None:
            return value(faster(score), changed)
        return with_box(partial(value, score), image, changed, self.bounds.boxes, segment)
