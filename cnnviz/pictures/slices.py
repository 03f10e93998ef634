"""Volumes are drawn by their middle slices along depth, and the caption says so."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped


class Slice(NamedTuple):
    """The middle slice of volumes, and the sentence that says which it is."""

    values: Shaped[np.ndarray, "..."]
    sentence: str


def middle(volumes: Shaped[np.ndarray, "..."], axis: int = 0) -> Slice:
    """The middle slice along `axis`, the depth."""
    depth = volumes.shape[axis]
    return Slice(volumes.take(depth // 2, axis), f" Drawn is the slice at depth {depth // 2} of {depth}.")
