"""Maps of an attribution as one picture, as a notebook shows them."""

from functools import partial
from typing import Any

import numpy as np

from cnnviz.figures.grids import grids
from cnnviz.figures.scales import scale_of
from cnnviz.pictures.finite import missing
from cnnviz.pictures.picture import Picture, size

MOST = 64


def maps_picture(maps: Any, gap: Any = None) -> Picture:
    """The first maps of `[n h w]` on one scale; the caption says what is clipped and how large the gaps `[n]` are."""
    found = np.asarray(maps, np.float32)
    found = found.sum(-1) if found.ndim == 4 else found  # channels that were kept
    shown, scale = found[:MOST], scale_of(found)
    count = f"{len(found)}" if len(found) <= MOST else f"the first {MOST} of {len(found)}"
    title = f"{count} attribution maps of {size(found.shape[1:])}"
    words = [f"Raw values on one scale, {scale.low:g} to {scale.high:g}; {scale.outside(found):,} are clipped."]
    if gap is not None:
        words.append(f"Completeness gaps are at most {np.abs(np.asarray(gap)).max():.2g}.")
    caption = " ".join(words).replace(" nan", " NaN") + missing("values", found)
    draw = partial(grids, {"": shown}, scale, title=title, label="attribution")
    return Picture("maps", title, caption, {"maps": found}, draw, axes={"maps": ("image", "row", "column")})
