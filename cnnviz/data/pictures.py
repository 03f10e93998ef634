"""Encoded pictures as one uint8 array.

Pillow recognizes a file by its first bytes, not by its name, and for some formats it starts programs (Ghostscript for
PostScript). Only the formats listed here, which it decodes itself, are enabled.
"""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cnnviz.errors import InputError

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".pgm", ".ppm"),
}
Picture = UInt8[np.ndarray, "h w c"]


def stack(pictures: Iterable[tuple[str, Path | BytesIO]]) -> UInt8[np.ndarray, "n h w c"]:
    """All pictures as one array: gray (c = 1) if all are gray, else RGB. Each comes with a name for messages.

    Raises InputError if a picture cannot be decoded, or if its size differs from the first one's.
    """
    decoded: list[Picture] = []
    for name, file in pictures:
        decoded.append(_pixels(name, file))
        size, wanted = decoded[-1].shape[:2], decoded[0].shape[:2]
        if size != wanted:
            shapes = f"{size[0]}x{size[1]} pixels and the first {wanted[0]}x{wanted[1]}"
            raise InputError(f"{name} has {shapes}; all images must have the same size.")
    channels = max(picture.shape[-1] for picture in decoded)
    return np.stack([np.broadcast_to(picture, (*picture.shape[:2], channels)) for picture in decoded])


def _pixels(name: str, file: Path | BytesIO) -> Picture:
    try:
        with Image.open(file, formats=list(FORMATS)) as image:
            mode = image.mode
            if mode[0] not in "IF":  # more than eight bits per channel
                gray = mode in ("1", "L")
                pixels = np.array(image.convert("L" if gray else "RGB"))
                return pixels[..., None] if gray else pixels
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{name} is not a readable image; remove or replace it.") from error
    raise InputError(f"{name} has pixels of mode {mode}; they must have 8 bits per channel.")
