"""XRAI: which regions of an image a map speaks for, whatever method made the map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation

from cnnviz.attribution.inputs import check_finite
from cnnviz.attribution.segments import segments_for
from cnnviz.errors import InputError

SCALES = (50, 100, 150, 250, 500, 1200)  # of Felzenszwalb's segments, as the authors have them
REACH, LEAST = 5 / 224, 1 / 1000  # how far segments are widened, of the longer side; the fewest new pixels, of all


def regions(maps: Any, images: Any, masks: Sequence[Any] | None = None, widen: int | None = None) -> np.ndarray:
    """The maps `[n h w]` of the images `[n h w c]` in which every pixel has the mean of the region that it came with.

    The segments of several `masks` overlap. Of those that are left, the one with the largest mean of the map over the
    pixels that it adds is taken next, and these pixels get that mean. `masks` are as for `feature_ablation`, by default
    Felzenszwalb's at six scales (needs scikit-image); segments are widened by `widen` pixels, 5 of 224 by default, as
    maps are largest at edges. A region that would add less than a thousandth of the pixels is left out, and what is in
    no region has the mean of it. Kapishnikov et al. 2019, XRAI: better attributions through regions, algorithm 1
    (arXiv:1906.02825); its map is that of integrated gradients, averaged over a black and a white baseline.
    """
    maps, images = np.asarray(maps, np.float64), np.asarray(images)
    if images.ndim != 4 or maps.shape != images.shape[:-1]:
        raise InputError(
            f"Regions are of maps [n, h, w] of pictures [n, h, w, c]; these are {maps.shape} and {images.shape}."
        )
    check_finite(maps, "Map")
    reach = round(REACH * max(images.shape[1:3])) if widen is None else widen
    if reach < 0:
        raise InputError(f"widen is a number of pixels, not negative; it was {widen}.")
    asked = [f"felzenszwalb:{scale}" for scale in SCALES] if masks is None else masks
    found = [_numbers(mask, images) for mask in asked]
    return np.stack([_by_region(one, _parts([each[i] for each in found], reach)) for i, one in enumerate(maps)])


def _numbers(mask: Any, images: np.ndarray) -> np.ndarray:
    """The number of each pixel's segment `[n h w]`."""
    return np.broadcast_to(segments_for(mask, images, least=1)[..., 0], images.shape[:-1])


def _parts(numbers: Sequence[np.ndarray], reach: int) -> Bool[np.ndarray, "k h w"]:
    """All segments of one image, each widened by a disk."""
    parts = np.concatenate([one == np.arange(one.max() + 1)[:, None, None] for one in numbers])
    at = np.arange(-reach, reach + 1)
    disk = at[:, None] ** 2 + at**2 <= reach**2
    return binary_dilation(parts, disk[None]) if reach else parts


def _by_region(values: Float[np.ndarray, "h w"], parts: Bool[np.ndarray, "k h w"]) -> Float[np.ndarray, "h w"]:
    """One map by regions; of regions with equal means the first is taken."""
    least, left = max(1, LEAST * values.size), np.ones(values.shape, bool)
    found = np.zeros(values.shape)
    while True:
        added = parts & left
        count = added.sum((1, 2))
        means = np.where(count >= least, (added * values).sum((1, 2)) / np.maximum(count, 1), -np.inf)
        best = int(means.argmax())
        if means[best] == -np.inf:
            break
        found[added[best]], left = means[best], left & ~parts[best]
    found[left] = values[left].mean() if left.any() else 0
    return found
