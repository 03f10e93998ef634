"""CORRUPTIONS: what happens to images by accident, at five severities each.

Each is a function of uint8 images `[n *sides c]`, their numbers and a severity from 1 to 5, and gives images of the
same shape. Noise, blur and contrast have the severities of CIFAR-10-C, the blur's in proportion to the longer side:
Hendrycks & Dietterich 2019, Benchmarking neural network robustness to common corruptions and perturbations
(arXiv:1903.12261). What is drawn for an image depends on its number and the seed alone.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from scipy.ndimage import gaussian_filter

from cnnviz.errors import InputError, check_known

Images = UInt8[np.ndarray, "n ..."]
SEVERITIES = (1, 2, 3, 4, 5)
NOISE = (0.04, 0.06, 0.08, 0.09, 0.10)  # standard deviation, of the range
BLUR = (0.4, 0.6, 0.7, 0.8, 1.0)  # width in pixels, of images with a side of at most SIDE
CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)  # what is left of it
SHIFT = (1, 2, 3, 4, 5)  # pixels, of images with a side of SIDE
SIDE = 32


def noise(images: Images, severity: int, numbers: Sequence[int], seed: int) -> Images:
    """Gaussian noise on each value."""
    drawn = [np.random.default_rng([seed, i]).standard_normal(images.shape[1:]) for i in numbers]
    return _pixels(images + 255 * NOISE[severity - 1] * np.stack(drawn))


def blur(images: Images, severity: int, numbers: Sequence[int], seed: int) -> Images:
    """A Gaussian blur along the sides; at the edges the outermost pixels are repeated."""
    sides = images.shape[1:-1]
    widths = [BLUR[severity - 1] * max(1.0, max(sides) / SIDE) if n > 1 else 0.0 for n in sides]
    return _pixels(gaussian_filter(images.astype(np.float32), (0, *widths, 0), mode="nearest"))


def shift(images: Images, severity: int, numbers: Sequence[int], seed: int) -> Images:
    """A shift by whole pixels along each side, forward or back as drawn; what comes in is black."""
    sides, found = images.shape[1:-1], np.zeros_like(images)
    for row, number in enumerate(numbers):
        turned = np.random.default_rng([seed, number]).integers(0, 2, len(sides)) * 2 - 1
        by = [
            int(t * max(1, round(SHIFT[severity - 1] * max(sides) / SIDE))) if n > 1 else 0
            for t, n in zip(turned, sides, strict=True)
        ]
        to = tuple(slice(max(0, b), n + min(0, b)) for b, n in zip(by, sides, strict=True))
        found[row][to] = images[row][tuple(slice(max(0, -b), n - max(0, b)) for b, n in zip(by, sides, strict=True))]
    return found


def contrast(images: Images, severity: int, numbers: Sequence[int], seed: int) -> Images:
    """Each channel nearer to its mean over the image."""
    mean = images.mean(tuple(range(1, images.ndim - 1)), keepdims=True)
    return _pixels(mean + CONTRAST[severity - 1] * (images - mean))


CORRUPTIONS = {"noise": noise, "blur": blur, "shift": shift, "contrast": contrast}


def corrupted(
    name: str, images: Images, severity: int, *, numbers: Sequence[int] | None = None, seed: int = 0
) -> Images:
    """The images under the corruption of this name. Raises InputError if the name or the severity is unknown.

    `numbers` are those of the images in their data set, by default 0, 1, ...
    """
    check_known("corruption", name, CORRUPTIONS)
    if severity not in SEVERITIES:
        raise InputError(f"A severity is one of 1, 2, 3, 4 and 5; it was {severity!r}.")
    return CORRUPTIONS[name](images, severity, range(len(images)) if numbers is None else numbers, seed)


def _pixels(values: np.ndarray) -> Images:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
