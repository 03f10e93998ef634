"""Maps of an attribution as one picture, as a notebook shows them."""

from functools import partial
from typing import Any

import numpy as np

from cnnviz.figures.grids import grids
from cnnviz.figures.scales import scale_of
from cnnviz.figures.signals import signals
from cnnviz.pictures.finite import missing
from cnnviz.pictures.picture import SIDES, Picture, size
from cnnviz.pictures.slices import middle

MOST, MOST_CHANNELS = 64, 4


def maps_picture(maps: Any, gap: Any = None) -> Picture:
    """The first maps on one scale: `[n h w]` as images, `[n t]` as curves, `[n d h w]` by their middle slices.

    The caption says what is clipped and how large the gaps `[n]` are. A last axis of at most four is one of channels
    that were kept, which are summed.
    """
    found = np.asarray(maps, np.float32)
    found = found.sum(-1) if found.ndim == 4 and found.shape[-1] <= MOST_CHANNELS else found
    drawn, sliced = middle(found, 1) if found.ndim == 4 else (found, "")
    shown, scale = drawn[:MOST], scale_of(found)
    count = f"{len(found)}" if len(found) <= MOST else f"the first {MOST} of {len(found)}"
    title = f"{count} attribution maps of {size(found.shape[1:])}"
    words = [f"Raw values on one scale, {scale.low:g} to {scale.high:g}; {scale.outside(found):,} are clipped.{sliced}"]
    if gap is not None:
        words.append(f"Completeness gaps are at most {np.abs(np.asarray(gap)).max():.2g}.")
    caption = " ".join(words).replace(" nan", " NaN") + missing("values", found)
    draw = partial(grids if shown.ndim == 3 else signals, {"": shown}, scale, title=title, label="attribution")
    axes = {"maps": ("image", *SIDES[found.ndim - 1])}
    return Picture("maps", title, caption, {"maps": found}, draw, axes=axes)
