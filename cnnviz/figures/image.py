"""Images as they are in the data set: gray ones dark on white, others in color."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnviz.figures.style import NARROWEST, default_style, page, shortened

Pixels = UInt8[np.ndarray, "h w c"]
SIDE = 1.4  # inches: the width of an image in a gallery


def draw_image(ax: Axes, pixels: Pixels, extent: tuple[float, float, float, float] | None = None) -> None:
    """Draws the image: RGB if it has three channels, else its first channel in gray, with 255 as black."""
    shown = pixels if pixels.shape[-1] == 3 else pixels[..., 0]
    ax.imshow(shown, cmap="gray_r", vmin=0, vmax=255, interpolation="none", extent=extent)
    ax.set_axis_off()


@default_style()
def image(pixels: Pixels, *, title: str = "") -> Figure:
    """One image, large."""
    h, w, _ = pixels.shape
    figure = page(NARROWEST, 4.2 * h / max(h, w), title)
    ax = figure.subplots()
    draw_image(ax, pixels)
    # a frame, as a white image has no visible edge
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, fill=False, color="0.8", clip_on=False))
    ax.set_anchor("W")
    return figure


@default_style()
def gallery(
    images: UInt8[np.ndarray, "n h w c"], labels: Sequence[str], *, columns: int = 6, title: str = ""
) -> Figure:
    """Images row by row, each above its label of one or more lines."""
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    lines = max(label.count("\n") + 1 for label in labels)
    step = images.shape[1] / images.shape[2] + 0.115 * lines + 0.08  # a cell's height, in widths of an image
    across = columns * 1.1 - 0.1
    figure = page(across * SIDE, rows * step * SIDE, title)
    ax = figure.subplots()
    for i, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        x, y = i % columns * 1.1, i // columns * step
        bottom = y + images.shape[1] / images.shape[2]
        draw_image(ax, pixels, (x, x + 1, bottom, y))
        short = "\n".join(shortened(line, 22) for line in label.splitlines())
        ax.text(x, bottom + 0.02, short, fontsize=8, va="top", linespacing=1.15, parse_math=False)
    ax.set_xlim(0, across)
    ax.set_ylim(rows * step, 0)
    ax.set_anchor("W")
    return figure
