"""One picture of a file in 8 bits per channel: what the file says about orientation, depth and transparency is obeyed.

Whatever reads a picture does so here, so that a network is shown a picture as it was shown it in training.
Pillow recognizes a file by its first bytes, not by its name, and for some formats it starts programs (Ghostscript for
PostScript). Only FORMATS, which it decodes itself, are enabled.
"""

import re
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from cnnviz.interop.picture_files import FORMATS

ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
GRAY = ("1", "L", "LA", "La")
MULTIPAGE = ("GIF", "WEBP", "PNG", "TIFF", "AVIF")  # a JPEG of several parts has previews, not frames
BAND = 2**20  # pixels that are scaled at a time: in float64, all of a picture could take several gigabytes
UNKNOWN, EMPTY = "of no known format", "an empty file"
GROUNDS = {0: "black", 255: "white"}


class Undecodable(Exception):
    """A file is not a picture that can be read; the message says why, as a phrase."""


class Remark(NamedTuple):
    """What was done to a picture, as a phrase, and a detail that differs from one picture to the next."""

    done: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.done} ({self.detail})" if self.detail else self.done


@dataclass(frozen=True)
class Opened:
    """A picture of mode L or RGB, or LA or RGBA if part of it is transparent, and what was done to it."""

    image: Image.Image
    remarks: tuple[Remark, ...]

    def on(self, ground: int, why: str = "") -> "Opened":
        """The picture in L or RGB, its transparent parts laid on this gray; `why` says where that is from."""
        if not self.image.mode.endswith("A"):
            return self
        layer = self.image.convert("RGBA")
        laid = Image.alpha_composite(Image.new("RGBA", layer.size, (ground, ground, ground, 255)), layer)
        remark = Remark(f"transparency laid on {GROUNDS.get(ground, f'gray {ground}')}{why}")
        return Opened(laid.convert(self.image.mode[:-1]), (*self.remarks, remark))


def opened(file: Path | BytesIO, any_range: bool = False) -> Opened:
    """The first frame of a file, upright, in 8 bits per channel.

    Values of 16 bits are scaled by their full range. Values of no known range (32 bits, floating-point) are scaled by
    the picture's own if `any_range`, else refused: pictures that are learned from together need one scale. Raises
    Undecodable, or FileNotFoundError.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, about metadata and large pictures
            with Image.open(file, formats=list(FORMATS)) as image:
                return _converted(image, any_range)
    except (Undecodable, FileNotFoundError):
        raise
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise Undecodable(_reason(error, file)) from error


def check_begins(file: Path) -> None:
    """Raises Undecodable for a file that does not begin like a picture; its pixels are not read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(file, formats=list(FORMATS)).close()
    except Exception as error:  # parsers raise whatever a damaged file leads them to
        raise Undecodable(_reason(error, file)) from error


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged tag is no reason to refuse the pixels, and Pillow's parsers raise what they like
        return 1


def _reason(error: Exception, file: Path | BytesIO) -> str:
    if isinstance(error, IsADirectoryError):
        return "a folder"
    if isinstance(error, PermissionError) and error.strerror:
        return error.strerror
    if isinstance(file, Path) and file.is_file() and not file.stat().st_size:
        return EMPTY
    text = " ".join(str(error).split())
    if isinstance(error, Image.DecompressionBombError) and len(counts := re.findall(r"\d+", text)) > 1:
        return f"of {int(counts[0]):,} pixels, where at most {int(counts[1]):,} are read"
    return UNKNOWN if text.startswith("cannot identify") else text[:120] or type(error).__name__


def _converted(image: Image.Image, any_range: bool) -> Opened:
    remarks = []
    is_deep = any(";16" in str(tile) for tile in getattr(image, "tile", ()))  # before metadata loads the pixels
    frames = getattr(image, "n_frames", 1) if image.format in MULTIPAGE else 1
    if frames > 1:
        image.seek(0)
        remarks.append(Remark("only the first frame or page read", f"of {frames:,}"))
    if orientation(image) in TURNS:
        remarks.append(Remark("turned upright as EXIF says"))
    image.load()
    turn = TURNS.get(orientation(image))  # loading turns a TIFF already
    plain, depth = _in_eight_bits(image, any_range)
    if depth or is_deep:
        remarks.append(Remark("reduced to 8 bits per channel", depth or "from 16 bits"))
    plain = _without_palette(plain, remarks)
    return Opened(plain if turn is None else plain.transpose(turn), tuple(remarks))


def _in_eight_bits(image: Image.Image, any_range: bool) -> tuple[Image.Image, str]:
    """The picture with eight bits per channel, and which values they stand for if it had more."""
    if image.mode[0] not in "IF":
        return image, ""
    values = np.asarray(image)
    if image.mode.startswith("I;16") or image.mode == "I" and image.format in ("PPM", "PNG"):  # whose I has 16 bits
        low, high, said = 0.0, 65535.0, "from 16 bits"
    elif not any_range:
        raise Undecodable(f"pixels of mode {image.mode}, whose range is not known")
    else:
        known = values[np.isfinite(values)]
        low, high, said = _range(known, image.mode)
        lost = values.size - known.size
        said += f"; {lost:,} NaN or infinite" if lost else ""
    rows = max(1, BAND // values.shape[1])
    bands = [_as_bytes(values[row : row + rows], low, high) for row in range(0, len(values), rows)]
    reduced = Image.fromarray(np.concatenate(bands))
    key = image.info.get("transparency")
    if isinstance(key, int):  # the gray value that is transparent
        reduced.putalpha(Image.fromarray((values != key) * np.uint8(255)))
    return reduced, said


def _as_bytes(values: Shaped[np.ndarray, "h w"], low: float, high: float) -> UInt8[np.ndarray, "h w"]:
    """The values on a scale from 0 at `low` to 255 at `high`, rounded."""
    scaled = np.nan_to_num((values.astype(np.float64) - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(255 * scaled.clip(0, 1)).astype(np.uint8)


def _range(values: Shaped[np.ndarray, " n"], mode: str) -> tuple[float, float, str]:
    """The values that become 0 and 255, and how they are called."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if mode == "I" and 0 <= low and 255 < high < 65536:
        return 0.0, 65535.0, "from 16 bits"
    if 0 <= low and high <= (1 if mode == "F" else 255):
        most = 1.0 if mode == "F" else 255.0
        return 0.0, most, f"values from 0 to {most:g}"
    return low, high if high > low else low + 1, f"values from {low:g} to {high:g}"


def _without_palette(image: Image.Image, remarks: list[Remark]) -> Image.Image:
    """The picture in L or RGB, with alpha only if some of it is transparent."""
    base = "L" if image.mode in GRAY else "RGB"
    if image.mode not in (*GRAY, "P", "PA", "RGB", "RGBA", "RGBa", "RGBX"):
        remarks.append(Remark(f"converted from {image.mode} to RGB"))
    if not image.has_transparency_data:
        return image.convert(base)
    layer = image.convert("RGBA")  # also of premultiplied, palette and single-color transparency
    is_opaque = np.asarray(layer.getchannel("A")).min() == 255
    return layer.convert(base if is_opaque else f"{base}A")
