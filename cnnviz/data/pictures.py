"""Encoded pictures as one uint8 array."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from cnnviz.data.arrays import shape_of
from cnnviz.data.conversions import Undecodable, opened
from cnnviz.errors import InputError, OptionError
from cnnviz.errors.wording import counted, listed

WHITE = 255
LARGEST = 4096  # pixels: the longest side that pictures are resized to
Pixels = UInt8[np.ndarray, "_ _ _"]


@dataclass(frozen=True)
class Reading:
    """How images are read: the height and width pictures are resized to, and whether unreadable ones are left out.

    A picture is scaled to cover the size, without distortion, and cropped around its center. `image_shape` is that of
    one image in arrays which leave it open, such as (128, 9) of signals.
    """

    resize: tuple[int, int] | None = None
    skip_unreadable: bool = False
    image_shape: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        resize: int | str | Sequence[int] | None = None,
        skip_unreadable: bool = False,
        image_shape: str | Sequence[int] | None = None,
    ) -> "Reading":
        """With the size as a number, a pair, or text such as "32" or "24x32"; raises InputError for anything else."""
        shape = shape_of(image_shape)
        if resize is None:
            return cls(None, skip_unreadable, shape)
        parts = resize.lower().replace(",", "x").split("x") if isinstance(resize, str) else np.ravel(resize).tolist()
        sides = [int(part) if str(part).strip().isdecimal() else 0 for part in parts]
        if len(sides) not in (1, 2) or not all(0 < side <= LARGEST for side in sides):
            raise OptionError(
                f"resize must be a side or HEIGHTxWIDTH, each of 1 to {LARGEST} pixels; it was {resize!r}."
            )
        return cls((sides[0], sides[-1]), skip_unreadable, shape)

    @property
    def given(self) -> dict[str, Any]:
        """What differs from the default, as JSON values that `load` takes by name."""
        given = {"resize": list(self.resize)} if self.resize else {}
        return given | ({"skip_unreadable": True} if self.skip_unreadable else {})

    @property
    def key(self) -> str:
        """What tells pictures read in this way from the same ones read as they are; their files say their shape."""
        return f" {self.given}" if self.given else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence about the size, if pictures are resized."""
        how = "scaled to cover that size and cropped around the center"
        return (f"The images are resized to {self.resize[0]}x{self.resize[1]}, {how}.",) if self.resize else ()


AS_STORED = Reading()


class Decoded(NamedTuple):
    """The pictures that could be read, their places in the list, and sentences about how they were converted."""

    images: UInt8[np.ndarray, "n h w c"]
    kept: list[int]
    notes: tuple[str, ...]


def stack(pictures: Iterable[tuple[str, Path | BytesIO]]) -> UInt8[np.ndarray, "n h w c"]:
    """All pictures as one array: gray (c = 1) if all are gray, else RGB. Each comes with a name for messages.

    Raises InputError if a picture cannot be decoded, or if its size differs from the first one's.
    """
    return decode(pictures).images


def decode(pictures: Iterable[tuple[str, Path | BytesIO]], reading: Reading | None = None) -> Decoded:
    """All pictures as one array like `stack`, read as `reading` says.

    Raises InputError, which names the files, if some cannot be decoded and `reading` does not leave those out.
    """
    size, skips = (reading.resize, reading.skip_unreadable) if reading else (None, False)
    hint = "; --skip-unreadable leaves such files out" if reading else ""
    decoded: dict[int, tuple[str, Pixels]] = {}
    faults: dict[str, InputError] = {}
    done: Counter[str] = Counter()
    for index, (name, file) in enumerate(pictures):
        try:
            pixels, remarks = picture(name, file, size)
        except InputError as fault:
            faults[name] = fault
        else:
            decoded[index] = name, pixels
            done.update(remarks)
    if faults and not (skips and decoded):
        raise _unreadable(faults, hint if decoded else "")
    _check_sizes([*decoded.values()], "--resize 32 (or HEIGHTxWIDTH) makes them so" if reading else "")
    notes = [f"{remark[0].upper()}{remark[1:]}: {counted(count, 'picture')}." for remark, count in done.items()]
    if faults:
        notes.append(f"Unreadable and left out: {len(faults):,} ({listed([*faults])}).")
    return Decoded(_one_array([pixels for _, pixels in decoded.values()]), [*decoded], tuple(notes))


def picture(name: str, file: Path | BytesIO, size: tuple[int, int] | None = None) -> tuple[Pixels, list[str]]:
    """One picture, gray or RGB, resized if a height and width are given, and what was done to it, as phrases.

    Orientation, transparency and 16 bits per channel are taken care of. Raises InputError if it cannot be decoded.
    """
    try:
        found = opened(file).on(WHITE)
    except (Undecodable, FileNotFoundError) as error:
        raise InputError(f"{name} is not a readable image ({error}); remove or replace it.") from error
    shown = found.image if size is None else ImageOps.fit(found.image, (size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.array(shown)
    return (pixels if pixels.ndim == 3 else pixels[..., None]), [remark.done for remark in found.remarks]


def resized(images: UInt8[np.ndarray, "n h w c"], size: tuple[int, int] | None) -> UInt8[np.ndarray, "n _ _ c"]:
    """The images, each scaled to cover a height and width and cropped around its center; as they are without one."""
    if size is None or images.shape[1:3] == size:
        return images
    fitted = lambda channel: ImageOps.fit(Image.fromarray(channel), (size[1], size[0]), Image.Resampling.BILINEAR)
    channels = [np.stack([np.asarray(fitted(image[..., c])) for image in images]) for c in range(images.shape[-1])]
    return np.stack(channels, axis=-1)


def _unreadable(faults: Mapping[str, InputError], hint: str) -> InputError:
    """The error for one or several pictures that cannot be decoded."""
    (first, *others) = faults.values()
    if not others:
        return InputError(f"{str(first).removesuffix('.')}{hint}.")
    return InputError(
        f"{len(faults):,} files are not readable images: {listed([*faults])}; remove or replace them{hint}."
    )


def _check_sizes(decoded: Sequence[tuple[str, Pixels]], hint: str) -> None:
    wanted = decoded[0][1].shape[:2]
    for name, pixels in decoded:
        if (size := pixels.shape[:2]) != wanted:
            shapes = f"{size[0]}x{size[1]} pixels and the first {wanted[0]}x{wanted[1]}"
            end = f"; {hint}." if hint else "."
            raise InputError(f"{name} has {shapes}; all images must have the same size{end}")


def _one_array(decoded: Sequence[Pixels]) -> UInt8[np.ndarray, "n h w c"]:
    channels = max(pixels.shape[-1] for pixels in decoded)
    return np.stack([np.broadcast_to(pixels, (*pixels.shape[:2], channels)) for pixels in decoded])
