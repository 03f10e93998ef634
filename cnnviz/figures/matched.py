"""Kernels of one network, each above the kernel of another that it was matched with."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnviz.figures.finite import masked
from cnnviz.figures.montage import Maps
from cnnviz.figures.scales import Scale, print_scale_of
from cnnviz.figures.style import MARGIN, default_style, fitted, free_height, page, place, points, room

CELL, LARGEST = 0.36, 0.62  # inches: the least and the greatest side of a kernel
SMALLEST = 0.25  # inches: the least side on a slide of many
TEXT, HEAD, GAP = 0.16, 0.24, 0.06  # inches: a line below a pair, above all pairs, and between neighbors
LEFT, RIGHT = 0.2, 0.85  # inches: the letters of both networks, and the scale
MOST_COLUMNS = 16
Pixels = Float[np.ndarray, "..."]
MIDDLE: dict[str, Any] = {"ha": "center", "va": "center", "parse_math": False}


@default_style()
def matched(
    one: Maps,
    other: Maps,
    texts: Sequence[str],
    scale: Scale,
    names: tuple[str, str],
    *,
    title: str = "",
    label: str = "weight",
) -> Figure:
    """Pairs of maps `[n h w]`, or `[n h w 3]` in red, green and blue, on one scale, with a text below each pair.

    In each pair A, the map of `one`, is above B, that of `other`; the networks' names are above all pairs.
    """
    width = room(8.5)
    columns, cell = _plan(len(one), width - LEFT - RIGHT - MARGIN, free_height(title) - HEAD - MARGIN)
    rows, pitch = math.ceil(len(one) / columns), _pitch(cell)
    height = rows * pitch + HEAD
    figure = page(8.5, height + MARGIN, title, arranged=False)
    ax = place(figure, 0.0, 0.0, width, height)
    ax.set(xlim=(0, width), ylim=(0, height), autoscale_on=False)
    ax.set_axis_off()
    for i, text in enumerate(texts):
        row, column = divmod(i, columns)
        at = LEFT + column * (cell + GAP), height - HEAD - row * pitch
        _draw_pair(ax, (one[i], other[i]), scale, at, cell, text, named=column == 0)
    for k, (letter, name) in enumerate(zip("AB", names, strict=True)):
        text = f"{letter}: {fitted(name, 0.5 * width - 0.5, 7.5)}"
        at = MARGIN + 0.5 * k * width, height - 0.5 * HEAD
        ax.text(*at, text, va="center", fontsize=points(7.5), parse_math=False)
    high = min(rows * pitch - TEXT - 0.12, 2.0)
    bar = place(figure, LEFT + columns * (cell + GAP) + 0.12, height - HEAD - high, 0.12, high)
    print_scale_of(bar, [one, other], scale, label)
    return figure


def _plan(count: int, width: float, height: float) -> tuple[int, float]:
    """How many pairs are in a row and the side of a kernel: as few as are not too high for a slide."""
    fewest = max(1, min(count, MOST_COLUMNS, int(width / (CELL + GAP))))
    ways = [(columns, min(LARGEST, width / columns - GAP)) for columns in range(fewest, count + 1)]
    fitting = (way for way in ways if math.ceil(count / way[0]) * _pitch(way[1]) <= height and way[1] >= SMALLEST)
    return next(fitting, ways[0])


def _pitch(cell: float) -> float:
    """The height of a row of pairs."""
    return 2 * cell + TEXT + 0.12


def _draw_pair(
    ax: Axes,
    pair: tuple[Pixels, Pixels],
    scale: Scale,
    at: tuple[float, float],
    cell: float,
    text: str,
    *,
    named: bool,
) -> None:
    """Two maps below each other from `at`, left and top, and their text; with their letters if they are `named`."""
    left, top = at
    for k, (letter, pixels) in enumerate(zip("AB", pair, strict=True)):
        bottom = top - (k + 1) * cell - 0.02 * k
        _show(ax, pixels, scale, (left, left + cell, bottom, bottom + cell))
        if named:
            ax.text(0.5 * LEFT, bottom + 0.5 * cell, letter, color="0.25", fontsize=points(7.5), **MIDDLE)
    ax.text(left + 0.5 * cell, top - 2 * cell - 0.02 - 0.6 * TEXT, text, fontsize=points(6.5), **MIDDLE)


def _show(ax: Axes, pixels: Pixels, scale: Scale, extent: tuple[float, float, float, float]) -> None:
    """One map within its frame."""
    pixels = masked(pixels)
    if pixels.ndim == 3:
        ax.imshow(scale.as_rgb(pixels), aspect="auto", extent=extent)
    else:
        ax.imshow(scale.clipped(pixels), cmap=scale.colormap, norm=scale.norm, aspect="auto", extent=extent)
    left, right, bottom, top = extent
    size = right - left, top - bottom
    ax.add_patch(Rectangle((left, bottom), *size, fill=False, edgecolor="0.6", linewidth=points(0.5)))
