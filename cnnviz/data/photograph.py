"""A picture of one's own as a network takes it: any size, any colors, turned upright, with each conversion named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageOps

from cnnviz.data.conversions import UNKNOWN, Undecodable, check_begins, opened
from cnnviz.errors import InputError
from cnnviz.errors.wording import listed

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
COLORS = {1: "gray", 3: "RGB", 4: "RGBA"}  # by the number of channels
PREVIEW = 480  # pixels: the longest side of the picture as it is shown beside what the network sees


@dataclass(frozen=True)
class Photograph:
    """A picture as a network takes it, `pixels [h w c]`, and as it was, `original`, made smaller for display.

    `conversions` say in order what was done to it; they are empty if the picture is used as it is.
    """

    pixels: UInt8[np.ndarray, "h w c"]
    original: UInt8[np.ndarray, "y x 3"]
    conversions: tuple[str, ...]


def read(path: Path, shape: tuple[int, int, int], background: int, why: str, negative: bool = False) -> Photograph:
    """The picture in a file for a network that takes images of this shape (h, w, c).

    It is turned upright, what is transparent is laid on `background` (0 or 255; `why` says in words where that is
    from), and it is brought to the network's size as a whole, in its proportions: what is left over at two sides has
    the color of its own border. `negative` inverts it. Raises InputError if it cannot be read.
    """
    height, width, channels = shape
    if channels not in MODES:
        raise InputError(
            f"{path} cannot be shown to a network that takes {channels} channels; a picture has 1, 3 or 4 of them."
        )
    try:
        found = opened(path, any_range=True)
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist; give a picture, a folder or a pattern such as 'photos/*.jpg'."
        ) from error
    except Undecodable as error:
        raise Unreadable(path, str(error)) from error
    plain = found.on(background, why)
    kept = found if channels == 4 else plain
    done = [str(remark) for remark in kept.remarks]
    colored = _in_colors(kept.image, channels, done)
    if negative:
        colored = _inverted(colored)
        done.append("inverted")
    pixels = np.asarray(_fitted(colored, (width, height), done)).reshape(height, width, channels)
    preview = plain.image.convert("RGB")
    preview.thumbnail((PREVIEW, PREVIEW))
    return Photograph(pixels, np.asarray(preview), tuple(done))


class Unreadable(InputError):
    """A file is not a picture that can be read; `why` says the reason, as a phrase."""

    def __init__(self, path: Path, why: str) -> None:
        right = "save it as PNG or JPEG, or leave it out" if why == UNKNOWN else "leave it out or replace it"
        super().__init__(f"{path} is not a picture that can be read ({why}); {right}.")
        self.path, self.why = path, why


def check_formats(paths: Sequence[Path]) -> None:
    """Raises InputError if some files do not begin like pictures; it names all that cannot be read.

    The pixels are read only if there are such files, to find those that are damaged further in.
    """
    if not _faults(paths, check_begins):
        return
    raise all_unreadable(_faults(paths, lambda path: opened(path, any_range=True)))


def all_unreadable(faults: Sequence[Unreadable]) -> InputError:
    """One error for all pictures that cannot be read."""
    if len(faults) == 1:
        return faults[0]
    named = listed([f"{fault.path} ({fault.why})" for fault in faults])
    return InputError(
        f"{len(faults)} files are not pictures that can be read: {named}; leave them out or replace them."
    )


def _faults(paths: Sequence[Path], check: Callable[[Path], object]) -> list[Unreadable]:
    found = []
    for path in paths:
        try:
            check(path)
        except (Undecodable, FileNotFoundError) as error:
            found.append(Unreadable(path, str(error)))
    return found


def _in_colors(image: Image.Image, channels: int, done: list[str]) -> Image.Image:
    """The picture in as many channels; gray values are equal red, green and blue."""
    was, now = ("gray" if image.mode in ("L", "LA") else "RGB"), COLORS[channels]
    if was != now.removesuffix("A"):
        done.append(f"{was} to {now}")
    return image.convert(MODES[channels])


def _inverted(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return ImageOps.invert(image)
    *colors, alpha = image.split()
    return Image.merge("RGBA", (*(ImageOps.invert(color) for color in colors), alpha))


def _fitted(image: Image.Image, size: tuple[int, int], done: list[str]) -> Image.Image:
    """The whole picture in its proportions within this size (width, height), the rest in its border's color."""
    if image.size == size:
        return image
    scale = min(size[0] / image.width, size[1] / image.height)
    width, height = (max(1, min(most, round(scale * side))) for most, side in zip(size, image.size, strict=True))
    inner = width, height
    how = "enlarged" if scale > 1 else "made smaller"
    done.append(f"{image.width:,}x{image.height:,} pixels {how} to {inner[0]}x{inner[1]}")
    small = image if inner == image.size else image.resize(inner, Image.Resampling.BILINEAR)
    if inner == size:
        return small
    color = border_color(image)
    done.append(f"with bars in its border's color to {size[0]}x{size[1]}")
    canvas = Image.new(image.mode, size, color[0] if len(color) == 1 else color)
    canvas.paste(small, ((size[0] - width) // 2, (size[1] - height) // 2))
    return canvas


def border_color(image: Image.Image) -> tuple[int, ...]:
    """The median of each channel over the outermost pixels."""
    w, h = image.size
    sides = ((0, 0, w, 1), (0, h - 1, w, h), (0, 0, 1, h), (w - 1, 0, w, h))
    edge = [np.asarray(image.crop(side)).reshape(-1, len(image.getbands())) for side in sides]
    return tuple(int(value) for value in np.median(np.concatenate(edge), axis=0))


def border(pixels: Shaped[np.ndarray, "... h w c"]) -> Shaped[np.ndarray, "n c"]:
    """The outermost pixels of an image, or of several."""
    h, w, c = pixels.shape[-3:]
    inside = np.zeros((h, w), bool)
    inside[1 : h - 1, 1 : w - 1] = True
    return pixels[..., ~inside, :].reshape(-1, c)
