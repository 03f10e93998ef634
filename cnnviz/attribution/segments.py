"""Segments: an image cut into parts that are removed or kept together, as an integer at every value of the image.

A `mask` is an integer array in the image's shape `[... c]`, without its channels or with one of them, one such array
per image, or a text: "grid:7" (cells, seven along each side), "pixels" (each place by itself), "values" (each channel
of each place), "slic" or "slic:50" (about so many superpixels), "felzenszwalb" or "felzenszwalb:50" (the scale). The
last two need scikit-image. Whatever its numbers are, segments are numbered from 0 in their order.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Int

from cnnviz.errors import InputError, InputTypeError, check_known
from cnnviz.graph.boxes import Boxes

Mask = Any  # as above
Numbers = Int[np.ndarray, "..."]
CELLS = 7  # along a side, if nothing is asked for: for images of 28 and of 224 pixels a whole number of them


def grid(shape: tuple[int, ...], cells: int) -> Numbers:
    """Equal cells, at most `cells` along each side; of a vector `[f]`, along its features."""
    sides = shape[:-1] or shape
    found = np.zeros(sides, np.int64)
    for axis, n in enumerate(sides):
        count = min(cells, n)
        cell = np.arange(n) * count // n
        found = found * count + np.expand_dims(cell, tuple(a for a in range(len(sides)) if a != axis))
    return _with_channels(found, shape)


def pixels(shape: tuple[int, ...], _: int) -> Numbers:
    """Each place is a segment of all its channels."""
    sides = shape[:-1] or shape
    return _with_channels(np.arange(np.prod(sides)).reshape(sides), shape)


def values(shape: tuple[int, ...], _: int) -> Numbers:
    """Each value is a segment."""
    return np.arange(np.prod(shape)).reshape(shape)


def superpixels(image: Any, count: int) -> Numbers:
    """SLIC superpixels of one image, about `count`. Achanta et al. 2012 (doi:10.1109/TPAMI.2012.120)."""
    from skimage.segmentation import slic  # pyright: ignore[reportMissingImports]

    return slic(image, n_segments=count, slic_zero=True, channel_axis=-1, start_label=0)


def felzenszwalb(image: Any, scale: int) -> Numbers:
    """Segments of one picture by graph cuts.

    Felzenszwalb & Huttenlocher 2004 (doi:10.1023/B:VISI.0000022288.19776.77).
    """
    from skimage.segmentation import felzenszwalb  # pyright: ignore[reportMissingImports]

    return felzenszwalb(image, scale=scale, sigma=0.8, min_size=max(2, scale // 5), channel_axis=-1)


BY_SHAPE: dict[str, Callable[[tuple[int, ...], int], Numbers]] = {"grid": grid, "pixels": pixels, "values": values}
BY_IMAGE: dict[str, Callable[[Any, int], Numbers]] = {"slic": superpixels, "felzenszwalb": felzenszwalb}
USUAL = {"grid": CELLS, "pixels": 0, "values": 0, "slic": 50, "felzenszwalb": 50}


def is_by_image(mask: Mask) -> bool:
    """Whether the segments of this mask are found in each image itself."""
    return isinstance(mask, str) and _parsed(mask)[0] in BY_IMAGE


def segments_for(mask: Mask, images: Any, least: int = 2) -> Numbers:
    """The segments that all images `[n ... c]` share, `[... c]`, or else those of each, `[n ... c]`; numbered from 0.

    Raises InputError for a mask of other shapes, or with fewer segments than `least`.
    """
    shape = tuple(images.shape)
    found = segments_in(mask, images, least) if is_by_image(mask) else segments_of(mask, shape[1:], least)
    if found.ndim == len(shape) and len(found) != shape[0]:
        raise InputError(f"There is one mask for all images or one per image ({shape[0]}); there are {len(found)}.")
    return found


def segments_of(mask: Mask, shape: tuple[int, ...], least: int = 2) -> Numbers:
    """The segments of images of this shape `[... c]`, numbered from 0: an array of it, or one per image `[n ... c]`.

    Raises InputError for a mask of another shape, or with fewer segments than `least`.
    """
    if isinstance(mask, str):
        name, number = _parsed(mask)
        return _counted(mask, BY_SHAPE[name](shape, number), least)
    return _counted("mask", _in_shape(_integers(mask), shape), least)


def segments_in(mask: str, images: Any, least: int = 2) -> Numbers:
    """The segments `[n ... c]` that a mask such as "slic" finds in each of the images `[n ... c]`, numbered from 0."""
    name, number = _parsed(mask)
    if isinstance(images, Tracer):
        raise InputError(f'The mask "{mask}" is found in the images themselves, so not inside jax.jit.')
    if images.ndim < 4:
        raise InputError(
            f'The mask "{mask}" needs pictures or volumes; these have the shape {tuple(images.shape[1:])}.'
        )
    try:
        found = [_renumbered(BY_IMAGE[name](np.asarray(image, np.float64), number)) for image in images]
    except ImportError as error:
        raise InputError(f'The mask "{mask}" needs scikit-image: pip install "cnnviz[segments]".') from error
    for i, one in enumerate(found):
        _counted(f"{mask} of image {i}", one, least)
    return np.stack([_with_channels(one, tuple(images.shape[1:])) for one in found]).astype(np.int32)


class Bounds(NamedTuple):
    """The smallest box around each segment: its first index along every side, and the largest one's size."""

    starts: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]

    @property
    def boxes(self) -> Boxes:
        """The boxes, for a graph."""
        return Boxes(tuple(range(len(self.sizes))), np.array(self.starts), self.sizes)


def bounds_of(mask: Mask, shape: tuple[int, ...]) -> Bounds | None:
    """The boxes around the segments of a mask that all images `[... c]` share; None if they differ between images."""
    if is_by_image(mask) or (numbers := segments_of(mask, shape)).ndim > len(shape) or len(shape) < 2:
        return None
    count, at = count_of(numbers), np.indices(numbers.shape)[:-1].reshape(len(shape) - 1, -1)
    first, last = np.full((count, len(at)), max(shape)), np.zeros((count, len(at)), np.int64)
    np.minimum.at(first, numbers.ravel(), at.T)
    np.maximum.at(last, numbers.ravel(), at.T)
    sizes = (last - first).max(0) + 1
    return Bounds(tuple(map(tuple, first.tolist())), tuple(sizes.tolist()))


def count_of(segments: Any) -> int:
    """The number of segments, the most of any image."""
    return int(np.asarray(segments).max()) + 1


def check_mask(mask: Mask) -> None:
    """Raises InputError for a text that is no mask."""
    if isinstance(mask, str):
        _parsed(mask)


def _parsed(mask: str) -> tuple[str, int]:
    name, colon, number = mask.partition(":")
    check_known("mask", name, [*BY_SHAPE, *BY_IMAGE])
    if not colon:
        return name, USUAL[name]
    if not number.isdecimal() or int(number) < 1 or name in ("pixels", "values"):
        raise InputError(f'A mask is "grid:7", "slic:50", "pixels", "values" or an integer array; it was {mask!r}.')
    return name, int(number)


def _integers(mask: Any) -> Numbers:
    if isinstance(mask, Tracer):
        raise InputError(
            "A mask decides how much is computed, so it is an array of numbers, not an argument of jax.jit."
        )
    if not isinstance(mask, np.ndarray | jax.Array | list | tuple):
        raise InputTypeError(f'A mask is an integer array, or a text such as "grid:7"; it was {mask!r}.')
    array = np.asarray(mask)
    if array.dtype.kind not in "iub":
        raise InputTypeError(f"A mask holds the number of each value's segment, so integers; these are {array.dtype}.")
    return array


def _in_shape(mask: Numbers, shape: tuple[int, ...]) -> Numbers:
    """The mask in the images' shape, or with one entry more in front for one mask per image."""
    forms = [shape] if len(shape) == 1 else [shape, (*shape[:-1], 1), shape[:-1]]
    for form in forms:
        for own in ((), mask.shape[:1]):
            if mask.shape == (*own, *form):
                whole = mask[..., None] if len(form) < len(shape) else mask
                return np.broadcast_to(whole, (*own, *shape))
    accepted = " or ".join(dict.fromkeys(str(form) for form in reversed(forms)))
    raise InputError(f"A mask has the shape of an image, {accepted}, or one such per image; it has {mask.shape}.")


def _counted(name: str, mask: Numbers, least: int) -> Numbers:
    renumbered = _renumbered(mask)
    if (count := count_of(renumbered)) < least:
        raise InputError(f"A mask has at least two segments; this one ({name}) has {count}.")
    return renumbered


def _renumbered(mask: Numbers) -> Numbers:
    return np.unique(mask, return_inverse=True)[1].reshape(mask.shape).astype(np.int32)


def _with_channels(found: Numbers, shape: tuple[int, ...]) -> Numbers:
    return np.broadcast_to(found[..., None], shape) if found.ndim < len(shape) else found
