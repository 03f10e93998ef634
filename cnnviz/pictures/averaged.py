"""Attribution maps in other forms: averaged over copies of the images, or by regions of the images."""

from dataclasses import replace
from typing import Any

import numpy as np

from cnnviz.attribution import Attribution, augmented, regions
from cnnviz.pictures.attribution_page import Explained

COPIES = 6  # which `augmented` makes of each image


def over_copies(method: Any, model: Any, variables: Any, images: Any, targets: Any, **given: Any) -> Attribution:
    """What `augmented` gives, as an attribution: it has no gap, no error and no layers."""
    return Attribution(augmented(method, model, variables, images, targets, **given), {}, None)


def by_regions(found: Explained, pixels: np.ndarray) -> Explained:
    """The same with every member's maps by regions of the images `[n h w c]` as they are shown.

    A map's sum stays the same, and so does its gap; its standard error does not. Raises InputError without
    scikit-image, or if the images are not pictures.
    """
    every = np.moveaxis(found.maps, -1, 0) if found.axes else found.maps[None]  # channels are apart
    maps = np.stack([np.stack([regions(of_member, pixels) for of_member in maps]) for maps in every], -1)
    maps = maps if found.axes else maps[..., 0]
    return replace(found, maps=maps, error=None, to_halve=None)
