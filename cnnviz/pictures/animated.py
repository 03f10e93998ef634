"""Films: frames of one size as an animated GIF, as MP4 where ffmpeg is, or as single pictures."""

import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import animation
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError, check_known
from cnnviz.figures.files import encoded
from cnnviz.figures.printable import printable
from cnnviz.figures.style import MOST_TITLE, Style, drawn_in

FORMATS = ("gif", "mp4", "frames", "none")
SECONDS, LAST = 0.7, 2.5  # that a frame is shown, and the last one
DPI = 150
RATE = 10  # frames per second of an MP4, which shows each of ours several times
COLORS = 256  # of a GIF


def check_format(name: str) -> None:
    """Raises InputError for an unknown format of films, and for MP4 without ffmpeg."""
    check_known("format of films", name, FORMATS)
    if name == "mp4" and shutil.which("ffmpeg") is None:
        raise InputError("An MP4 film needs ffmpeg, which is not among the programs here; gif needs nothing.")


@dataclass(frozen=True)
class Film:
    """Frames by their names, each a function that draws a figure; titles take the lines of the longest one."""

    frames: Mapping[str, Callable[[], Figure]]
    format: str = "gif"

    def write(
        self, folder: Path, name: str, page: Any, title: str = "", about: Mapping[str, Any] | None = None
    ) -> list[Path]:
        """Writes NAME.gif, NAME.mp4 or NAME_FRAME.png, atomically, for this page; returns the paths.

        `about` is in their metadata. Raises InputError if frames differ in size.
        """
        if self.format == "none":
            return []
        images, text = self.images(page, title), json.dumps(about or {})
        if self.format == "frames":
            return [_write(folder / f"{name}_{one}.png", image, title, text) for one, image in images.items()]
        path = folder / f"{name}.{self.format}"
        with atomic_write(path) as temporary:
            (_write_gif if self.format == "gif" else _write_mp4)(
                temporary, [*images.values()], page.dpi or DPI, title, text
            )
        return [path]

    def images(self, page: Any, title: str = "") -> dict[str, Image.Image]:
        """The frames as RGB images."""
        style, figures = self._of_one_height(page.drawn)
        found = {}
        with drawn_in(style):
            for name, figure in figures.items():
                png = encoded(figure, "png", title, "", page.dpi or DPI)
                found[name] = Image.open(io.BytesIO(png)).convert("RGB")
        if len({image.size for image in found.values()}) > 1:
            sizes = ", ".join(f"{image.width}x{image.height}" for image in found.values())
            raise InputError(f"All frames of a film have one size; these have {sizes}.")
        return found

    def _of_one_height(self, style: Style) -> tuple[Style, dict[str, Figure]]:
        """The frames' figures, and the style that gives all one size: titles take the lines of the longest one."""
        figures: dict[str, Figure] = {}
        for lines in range(1, MOST_TITLE + 1):
            style = replace(style, lines=lines)
            with drawn_in(style):
                figures = {name: draw() for name, draw in self.frames.items()}
            if len({tuple(figure.get_size_inches()) for figure in figures.values()}) == 1:
                break
        return style, figures


def _write(path: Path, image: Image.Image, title: str, about: str) -> Path:
    info = PngInfo()
    info.add_text("Title", printable(title))
    info.add_text("Description", about)
    with atomic_write(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=info)
    return path


def _write_gif(path: Path, images: Sequence[Image.Image], dpi: int, title: str, about: str) -> None:
    """All frames in the colors of all, without dithering: a value has one color throughout."""
    width, height = images[0].size
    every = Image.new("RGB", (width, height * len(images)))
    for i, image in enumerate(images):
        every.paste(image, (0, i * height))
    palette = every.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    milliseconds = [round(1000 * SECONDS)] * len(others) + [round(1000 * LAST)]
    options: dict[str, Any] = {"duration": milliseconds, "loop": 0, "optimize": False, "disposal": 1}
    options["comment"] = f"{printable(title)}\n{about}".encode()
    first.save(path, format="GIF", save_all=True, append_images=others, **options)


def _write_mp4(path: Path, images: Sequence[Image.Image], dpi: int, title: str, about: str) -> None:
    """By matplotlib's writer; the sides are even, as the usual encoding of colors asks for."""
    pixels = [np.asarray(image) for image in images]
    pixels = [np.pad(each, [(0, each.shape[0] % 2), (0, each.shape[1] % 2), (0, 0)], mode="edge") for each in pixels]
    height, width = pixels[0].shape[:2]
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
    shown = figure.figimage(pixels[0])
    said = {"title": printable(title), "comment": about}
    writer = animation.FFMpegWriter(fps=RATE, codec="libx264", metadata=said, extra_args=["-pix_fmt", "yuv420p"])
    with writer.saving(figure, str(path), dpi):
        for each, seconds in zip(pixels, [SECONDS] * (len(pixels) - 1) + [LAST], strict=True):
            shown.set_array(each)
            for _ in range(round(RATE * seconds)):
                writer.grab_frame()
