"""Images as they are in the data set: gray ones dark on white, others in color; signals as curves."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnviz.figures.fonts import drawable
from cnnviz.figures.style import (
    NARROWEST,
    current_style,
    default_style,
    fitted,
    free_height,
    is_slide,
    page,
    points,
    room,
)
from cnnviz.figures.text import ORPHAN, Size, width_of

Pixels = UInt8[np.ndarray, "h w c"]
Shown = Shaped[np.ndarray, "*sides c"]  # pixels, or a signal [t c] of any type
Extent = tuple[float, float, float, float]  # left, right, bottom, top
SIDE, SMALL, LARGE = 1.4, 0.84, 2.4  # inches: the width of an image in a gallery, on a narrow page, on a slide at most


def draw_image(ax: Axes, pixels: Shown, extent: Extent | None = None) -> None:
    """Draws the image: RGB if it has three channels, else its first channel in gray, with 255 as black.

    A signal is drawn as a curve for each channel.
    """
    if pixels.ndim == 2:
        return draw_signal(ax, pixels, extent or (0.0, 1.0, 0.0, 1.0))
    shown = pixels if pixels.shape[-1] == 3 else pixels[..., 0]
    ax.imshow(shown, cmap="gray_r", vmin=0, vmax=255, extent=extent)
    ax.set_axis_off()


def draw_signal(ax: Axes, signal: Shown, extent: Extent) -> None:
    """The signal's channels as curves in `extent`, from its least to its greatest value."""
    left, right, bottom, top = extent
    known = np.where(np.isfinite(signal), signal, np.nan)
    low, high = (float(end(known)) if np.isfinite(known).any() else 0.0 for end in (np.nanmin, np.nanmax))
    level = (signal - low) / (high - low if high > low else 1.0)
    edge = 0.5 * (right - left) / len(signal)  # a value stands in the middle of its sample
    x = np.linspace(left + edge, right - edge, len(signal))
    for channel in np.moveaxis(bottom + (0.06 + 0.88 * level) * (top - bottom), 1, 0):
        ax.plot(x, channel, color="white", linewidth=points(2.4))  # a halo, for the curve to be seen on any map
        ax.plot(x, channel, color="0.1", linewidth=points(0.9))
    ax.set_axis_off()


@default_style()
def image(pixels: Pixels, *, title: str = "") -> Figure:
    """One image, large."""
    h, w, _ = pixels.shape
    side = min(4.2, room(NARROWEST))
    figure = page(NARROWEST, side * h / max(h, w), title)
    ax = figure.subplots()
    draw_image(ax, pixels)
    # a frame, as a white image has no visible edge
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, fill=False, color="0.8", clip_on=False))
    return figure


def broken(line: str, width: float, size: Size) -> str:
    """The line; if it is wider than `width` inches, its last words are on a second one, or it is shortened.

    As few words as fit go there, but no single letter or number: of "as thing 0" it is "thing 0".
    """
    font, most, words = current_style().font, int(72 * width), line.split(" ")  # no character is narrower than a point
    fits = lambda text: len(text) <= most and width_of(drawable(text, font), size, font) <= width
    if fits(line):
        return line
    parts = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(len(words) - 1, 0, -1)]
    both = [part for part in parts if all(map(fits, part))]
    first, last = next((part for part in both if len(part[1]) > ORPHAN), (both or [("", "")])[0])
    return f"{first}\n{last}" if last else fitted(line, width, size)


def _broken(labels: Sequence[str], side: float, size: Size) -> list[str]:
    return ["\n".join(broken(line, 1.02 * side, size) for line in label.splitlines()) for label in labels]


def _below(labels: Sequence[str], size: Size) -> float:
    """The height in inches of the labels, and of the gap below them."""
    return 0.02 * size * max(label.count("\n") + 1 for label in labels) + 0.11


def _cells(count: int, columns: int, labels: Sequence[str], tall: float, title: str) -> tuple[float, Size, int]:
    """The width of an image in inches, the size of its label, and the columns of a gallery.

    On a slide images are as large as all of them have room for, with labels that can be read.
    """
    across = lambda side: min(count, max(1, int(room(columns * 1.1 * side) / (1.1 * side) + 0.1)))
    if is_slide():
        free = free_height(title)
        for side in np.arange(LARGE, SMALL, -0.04):
            rows = math.ceil(count / across(side))
            fits = lambda texts, rows=rows, side=side: rows * (tall * side + _below(texts, 8)) <= free
            if fits(labels) and fits(_broken(labels, side, 8)):  # the first is quick
                return float(side), 8, across(side)
    narrow = room(columns * 1.1 * SIDE) < columns * 1.1 * SIDE - 0.2
    side, size = (SMALL, 7) if narrow or is_slide() else (SIDE, 8)
    return side, size, across(side)


@default_style()
def gallery(
    images: Shaped[np.ndarray, "n *sides c"], labels: Sequence[str], *, columns: int = 6, title: str = ""
) -> Figure:
    """Images row by row, each above its label of one or more lines, of which a long one is broken at its last space."""
    tall = images.shape[1] / images.shape[2] if images.ndim == 4 else 0.4
    side, size, columns = _cells(len(images), columns, labels, tall, title)
    rows = math.ceil(len(images) / columns)
    labels = _broken(labels, side, size)
    step = tall + _below(labels, size) / side  # a cell's height, in widths of an image
    across = columns * 1.1 - 0.1
    figure = page(across * side, rows * step * side, title)
    ax = figure.subplots()
    for i, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        x, y = i % columns * 1.1, i // columns * step
        bottom = y + tall
        draw_image(ax, pixels, (x, x + 1, bottom, y))
        ax.text(x, bottom + 0.02, label, fontsize=points(size), va="top", linespacing=1.15, parse_math=False)
    ax.set_xlim(0, across)
    ax.set_ylim(rows * step, 0)
    ax.set_anchor("W")
    return figure
