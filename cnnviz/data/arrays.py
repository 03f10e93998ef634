"""Arrays of images as files have them, brought to the one form that is kept: uint8 with the channels last."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8

from cnnviz.errors import InputError, OptionError

LEAST, MOST = 2, 4  # numbers in the shape of an image: (t, c) of a signal to (d, h, w, c) of a volume
NARROW = 4  # times as long as wide
FORMS = "uint8 of shape [n, h, w], [n, h, w, c] or [n, d, h, w, c] is needed"
Raw = Shaped[np.ndarray, "..."]


class Span(NamedTuple):
    """The values that become the pixels 0 and 255."""

    low: float
    high: float

    def note(self, name: str, dtype: np.dtype) -> str:
        """A sentence about the values, with the preparation that gives them back."""
        kept = f"The values of {name} are {dtype} from {self.low:g} to {self.high:g}, kept in 8 bits"
        if self == (0, 1):  # which the network is shown
            return f"{kept}."
        back = f'{{"scale": {(self.high - self.low) / 255:.6g}, "mean": [{0.0 - self.low:.6g}]}}'
        return (
            f"{kept}: the network is shown 0 to 1 in their place (--prepare '{back}' shows a network of yours the "
            "values themselves)."
        )


def shape_of(text: str | Sequence[int] | None) -> tuple[int, ...] | None:
    """The shape of one image in a text such as "28,28,1"; raises InputError unless it is 2 to 4 positive integers."""
    if text is None:
        return None
    parts = text.lower().replace("x", ",").split(",") if isinstance(text, str) else [*map(str, text)]
    numbers = [int(part) if part.strip().isdecimal() else 0 for part in parts]
    if not LEAST <= len(numbers) <= MOST or not all(numbers):
        raise OptionError(
            "image_shape must be an image's sides and then its channels, such as 28,28,1 of a picture, 128,9 of a "
            f"signal or 28,28,28,1 of a volume; it was {text!r}."
        )
    return tuple(numbers)


def has_shape(images: Raw, shape: Sequence[int] | None) -> bool:
    """Whether the images are of this shape, where a last axis of one channel may be left out."""
    return shape is not None and images.shape[1:] in (tuple(shape), tuple(shape[:-1]) if shape[-1] == 1 else None)


def span_of(images: Raw, where: str) -> Span:
    """The range of values that become pixels: 0 to 1 or 0 to 255 if all are within it, else their own.

    Raises InputError for NaN, infinities and values that are no numbers.
    """
    if images.dtype.kind not in "iuf":
        raise InputError(f"The values of {where} are {images.dtype}; numbers are needed.")
    low, high = float(images.min()), float(images.max())
    if not np.isfinite([low, high]).all():
        raise InputError(f"The values of {where} include NaN or infinity; all must be finite.")
    top = 1.0 if images.dtype.kind == "f" and high <= 1 else 255.0
    return Span(0.0, top) if 0 <= low and high <= top else Span(low, high if high > low else low + 1)


def in_eight_bits(images: Raw, span: Span) -> UInt8[np.ndarray, "..."]:
    """The values scaled so that the span is 0 to 255, rounded; what lies outside of it is clipped."""
    found = np.empty(images.shape, np.uint8)
    for i, image in enumerate(images):  # one at a time, since float64 takes eight times the memory
        scaled = (image.astype(np.float64) - span.low) * (255 / (span.high - span.low))
        found[i] = np.rint(scaled.clip(0, 255))
    return found


def checked(images: Raw, where: str) -> UInt8[np.ndarray, "n *sides c"]:
    """uint8 pictures or volumes with their channels, as they are; raises InputError for anything else."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4, 5) or 0 in images.shape:
        found = f"{images.dtype}{list(images.shape)}"
        raise InputError(f"The images of {where} are {found}; {FORMS}{_hint(images)}.")
    return images if images.ndim > 3 else images[..., None]


def on_narrow(images: Raw, name: str) -> tuple[str, ...]:
    """A note on gray pictures that are so narrow that they may be signals `[n t c]`, and what reads them as such."""
    if images.dtype != np.uint8 or images.ndim != 3 or max(images.shape[1:]) < NARROW * min(images.shape[1:]):
        return ()
    height, width = images.shape[1:]
    return (
        f"{name} is read as gray pictures of {height}x{width}; --image-shape {height},{width} reads it as signals.",
    )


def _hint(images: Raw) -> str:
    """What reads arrays of signals, and of numbers that are not bytes."""
    shape = images.shape[1:] if images.ndim > LEAST else (*images.shape[1:], 1)
    if images.dtype.kind not in "iuf" or not LEAST <= len(shape) <= MOST or 0 in images.shape:
        return ""
    return f", or --image-shape {','.join(map(str, shape))} to read them as images of that shape"
