"""A decoded picture as 8-bit gray or RGB: what its file says about orientation, transparency and depth is obeyed."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

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
OF_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
GRAY = ("1", "L", "LA", "La", "I", *OF_SIXTEEN_BITS)
MULTIPAGE = ("GIF", "WEBP", "PNG", "TIFF", "AVIF")  # a JPEG of several parts has previews, not frames


def converted(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture in mode L or RGB, and what was done to it beyond decoding, as phrases.

    Raises ValueError if its values have no known range, as in floating-point TIFF files.
    """
    remarks, is_gray = list(_remarks(image)), image.mode in GRAY
    image.load()
    turn = TURNS.get(orientation(image))  # loading turns a TIFF already
    image = _in_eight_bits(image)
    if image.has_transparency_data:
        image, alpha = _on_white(image)
        remarks += ["Transparency laid on white"] if alpha < 255 else []
    image = image.convert("L" if is_gray else "RGB")
    return (image if turn is None else image.transpose(turn)), remarks


def _remarks(image: Image.Image) -> Iterator[str]:
    if image.format in MULTIPAGE and getattr(image, "is_animated", False):
        image.seek(0)
        yield "Only the first of several frames or pages read"
    if orientation(image) in TURNS:
        yield "Turned as EXIF says"
    if image.mode.startswith("I") or any(";16" in str(tile) for tile in getattr(image, "tile", ())):
        yield "Reduced from 16 to 8 bits per channel"
    if image.mode == "CMYK":
        yield "Converted from CMYK to RGB"


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged tag is no reason to refuse the pixels, and Pillow's parsers raise what they like
        return 1


def _in_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode == "I" and image.format not in ("PPM", "PNG"):  # whose I has 16 bits
        raise ValueError(f"pixels of mode {image.mode}, whose range is not known")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64).clip(0, 0xFFFF)
    return Image.fromarray(((values * 255 + 0x7FFF) // 0xFFFF).astype(np.uint8))


def _on_white(image: Image.Image) -> tuple[Image.Image, int]:
    """The picture on a white background, and the least alpha."""
    image = image.convert("RGBA")  # also of premultiplied, palette and single-color transparency
    page = Image.new("RGBA", image.size, (255, 255, 255, 255))
    lowest, _ = image.getchannel("A").getextrema()
    return Image.alpha_composite(page, image), int(lowest)
