"""Sentences about a data set that whoever trains on it should know: classes without images, and odd channels."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32, UInt8

from cnnviz.errors.wording import listed, size

PICTURE = 3  # numbers in the shape of a picture, (h, w, c)
UNBALANCED = 10  # times as many images of one class as of another


def on_classes(
    train: Int32[np.ndarray, " n"], test: Int32[np.ndarray, " m"], classes: Sequence[str]
) -> tuple[str, ...]:
    """Which classes have no image in a split, and whether one has ten times the training images of another."""
    counts = {"training": np.bincount(train, minlength=len(classes)), "test": np.bincount(test, minlength=len(classes))}
    notes = []
    for part, numbers in counts.items():
        if missing := [name for name, count in zip(classes, numbers, strict=True) if not count]:
            notes.append(f"{listed(missing)} {'has' if len(missing) == 1 else 'have'} no {part} image.")
    alone = [f"{classes[0]} is the only class, so there is nothing to tell apart."] if len(classes) == 1 else []
    return (*notes, *alone, *_on_balance(counts["training"], classes))


def _on_balance(counts: np.ndarray, classes: Sequence[str]) -> list[str]:
    present = np.flatnonzero(counts)
    few, many = present[counts[present].argmin()], present[counts[present].argmax()]
    if counts[many] < UNBALANCED * counts[few]:
        return []
    span = f"{counts[few]:,} ({classes[few]}) to {counts[many]:,} ({classes[many]})"
    return [f"The classes are unbalanced: they have {span} training images."]


def on_channels(images: UInt8[np.ndarray, "n *sides c"]) -> tuple[str, ...]:
    """What pictures draw of images that are neither gray nor RGB; of a signal all channels are curves."""
    channels = images.shape[-1]
    if channels in (1, 3) or images.ndim == 3:
        return ()
    said = f"The images have {channels} channels, numbered 0 to {channels - 1}; pictures draw channel 0 of them."
    return (f"{said}{_on_axes(images.shape[1:])}",)


def _on_axes(shape: Sequence[int]) -> str:
    """What images [h w c] may be if they have more channels than rows, or as many as rows and columns; else empty."""
    if len(shape) == PICTURE and shape[0] in (1, 3) and shape[-1] > shape[0]:
        return f" If the {shape[0]} of {size(shape)} are their channels, move that axis last."
    if len(shape) == PICTURE and len(set(shape)) == 1:
        return f" Volumes of one channel are read by --image-shape {','.join(map(str, (*shape, 1)))}."
    return ""
