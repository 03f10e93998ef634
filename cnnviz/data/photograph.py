"""A picture of one's own as a network takes it: any size, any colors, turned upright, with each conversion named."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image, ImageOps

from cnnviz.data.conversions import MULTIPAGE, TURNS, orientation
from cnnviz.data.pictures import FORMATS
from cnnviz.errors import InputError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
COLORS = {1: "gray", 3: "RGB", 4: "RGBA"}  # by the number of channels
NAMES = {"L": "gray", "1": "black and white", "P": "a palette of colors", "LA": "gray", "PA": "a palette of colors"}
WORDS = {0: "black", 255: "white"}
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
        raise InputError(f"A picture has 1, 3 or 4 channels; the network takes {channels}, so {path} cannot be shown.")
    done: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, about metadata and large pictures
            image = _opened(path, done)
            plain = _flattened(_eight_bits(image, done), channels, background, why, done)
            colored = _in_colors(plain, channels, done)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist; give a picture, a folder or a pattern such as 'photos/*.jpg'."
        ) from error
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise InputError(f"{path} is not a picture that can be read ({_reason(error)}).") from error
    if negative:
        colored = _inverted(colored)
        done.append("inverted")
    pixels = np.asarray(_fitted(colored, (width, height), done)).reshape(height, width, channels)
    preview = plain.convert("RGB")
    preview.thumbnail((PREVIEW, PREVIEW))
    return Photograph(pixels, np.asarray(preview), tuple(done))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return "of no known format" if text.startswith("cannot identify") else text[:120] or type(error).__name__


def _opened(path: Path, done: list[str]) -> Image.Image:
    """The first frame of the file, upright."""
    with Image.open(path, formats=list(FORMATS)) as file:
        count, is_turned = getattr(file, "n_frames", 1), orientation(file) in TURNS
        file.load()
        turn = TURNS.get(orientation(file))  # loading turns a TIFF already
        image = file.copy() if turn is None else file.transpose(turn)
    if count > 1 and file.format in MULTIPAGE:
        done.append(f"the first of {count} frames")
    if is_turned:
        done.append("turned upright as its EXIF data says")
    return image


def _eight_bits(image: Image.Image, done: list[str]) -> Image.Image:
    """The picture with eight bits per channel; of more, the full range of 16 bits or else its own range is 0 to 255."""
    if image.mode[0] not in "IF":
        return image
    values = np.asarray(image, np.float64)
    low, high, said = _range(values[np.isfinite(values)], image.mode)
    done.append(f"{said} to 8")
    scaled = np.nan_to_num((values - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    return Image.fromarray(np.rint(255 * scaled.clip(0, 1)).astype(np.uint8))


def _range(values: Float[np.ndarray, " n"], mode: str) -> tuple[float, float, str]:
    """The values that become 0 and 255, and how that is called."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if mode.startswith("I") and 0 <= low and high < 65536:
        return 0.0, 65535.0, "16 bits"
    if mode == "F" and 0 <= low and high <= 1:
        return 0.0, 1.0, "values from 0 to 1"
    return low, high if high > low else low + 1, f"values from {low:g} to {high:g}"


def _flattened(image: Image.Image, channels: int, background: int, why: str, done: list[str]) -> Image.Image:
    """The picture without transparency, which is laid on the background, unless the network takes an alpha channel."""
    if channels == 4 or not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    if layer.getextrema()[3] == (255, 255):
        return layer.convert("RGB") if image.mode not in ("LA", "La") else image.convert("L")
    done.append(f"its transparent parts laid on {WORDS[background]}{why}")
    gray = (background,) * 3
    laid = Image.alpha_composite(Image.new("RGBA", image.size, (*gray, 255)), layer)
    return laid.convert("L" if image.mode in ("LA", "La") else "RGB")


def _in_colors(image: Image.Image, channels: int, done: list[str]) -> Image.Image:
    mode = MODES[channels]
    if image.mode == mode:
        return image
    is_gray = image.mode in ("1", "L", "LA", "La")
    if image.mode not in ("1", "P", "PA") and not (is_gray and channels == 1):
        done.append(f"{NAMES.get(image.mode, image.mode)} to {COLORS[channels]}")
    elif image.mode in ("P", "PA") and channels == 1:
        done.append("colors to gray")
    return image.convert("RGB").convert(mode) if image.mode not in ("L", "RGB") and mode == "L" else image.convert(mode)


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
    inner = tuple(max(1, min(most, round(scale * side))) for most, side in zip(size, image.size, strict=True))
    how = "enlarged" if scale > 1 else "made smaller"
    done.append(f"{image.width:,}x{image.height:,} pixels {how} to {inner[0]}x{inner[1]}")
    small = image if inner == image.size else image.resize(inner, Image.Resampling.BILINEAR)
    if inner == size:
        return small
    color = border_color(image)
    done.append(f"with bars in its border's color to {size[0]}x{size[1]}")
    canvas = Image.new(image.mode, size, color if len(color) > 1 else color[0])
    canvas.paste(small, tuple((whole - part) // 2 for whole, part in zip(size, inner, strict=True)))
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
