"""Patches of images as small pictures, and in words what a patch is."""

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from cnnviz import units
from cnnviz.figures.scales import symmetric
from cnnviz.pictures.slices import middle
from cnnviz.units.seen import RELEVANCE


def as_pixels(patch: Float[np.ndarray, "*sides c"]) -> UInt8[np.ndarray, "*sides c"]:
    """A mean of patches as pixels; white where it is NaN, outside of all images."""
    white = 255 if patch.shape[-1] == 3 else 0  # gray images are drawn dark on white
    return np.clip(np.nan_to_num(patch, nan=white), 0, 255).round().astype(np.uint8)


def as_tile(patch: Shaped[np.ndarray, "*sides c"]) -> Shaped[np.ndarray, "*sides c"]:
    """The patch as it can be drawn: of a volume its middle slice."""
    return middle(patch).values if patch.ndim == 4 and patch.size else patch


def in_color(patch: Float[np.ndarray, "h w c"]) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
    """The mean over channels of signed values, red above zero and blue below, and the largest magnitude."""
    values = patch.mean(-1)
    most = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 0.0
    scale = symmetric(most or 1.0)
    colors = np.asarray(scale.colormap(scale.norm(np.ma.masked_invalid(values))))
    return (255 * colors[..., :3]).astype(np.uint8), most


def seen_in_words(patches: units.Patches) -> str:
    """What a patch is, in a sentence of a caption."""
    what = "its largest value in the image" if patches.by != RELEVANCE else "its most relevant value in the image"
    if patches.exact:
        return f"A patch has exactly the pixels that {what} depends on, as far as they are in the image."
    return f"A patch has all pixels that {what} depends on, and perhaps more: the window is an upper bound."
