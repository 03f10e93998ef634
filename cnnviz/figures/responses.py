"""Kernels beside the maps that they make: one row per channel, from what goes in to what comes out."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from cnnviz.figures.finite import masked
from cnnviz.figures.montage import Maps
from cnnviz.figures.scales import Scale, print_scale
from cnnviz.figures.style import MARGIN, default_style, page, place, shortened

Cell = Float[np.ndarray, "h w *rgb"]
CELL, SIGN, WORDS = 1.3, 0.36, 1.15  # inches: the largest map, a sign between two columns, the rows' titles
HEAD, GAP, BAR, FOOT = 0.42, 0.14, 0.09, 0.3  # inches: column titles, between rows, the scale and its numbers


class Column(NamedTuple):
    """One map per row, `[n h w]` or `[n h w rgb]`, all on `scale`, with the sign that stands before it."""

    title: str
    maps: Maps
    scale: Scale
    sign: str = ""
    gray: bool = False  # dark on white, as the images are drawn


@default_style()
def responses(rows: Sequence[str], columns: Sequence[Column], *, title: str = "") -> Figure:
    """One row per channel under the columns' titles; each column's scale is printed below it."""
    step = CELL + GAP
    height = HEAD + len(rows) * step + BAR + FOOT
    figure = page(WORDS + len(columns) * (CELL + SIGN) + MARGIN, height, title, arranged=False)
    across, up = figure.get_size_inches()
    for i, row in enumerate(rows):
        y = (height - HEAD - i * step - CELL / 2) / up
        figure.text(MARGIN / across, y, row, va="center", fontsize=8, linespacing=1.3, parse_math=False)
    for k, column in enumerate(columns):
        left = WORDS + k * (CELL + SIGN)
        _write_title(figure, column, left, height, len(rows))
        for i, values in enumerate(column.maps):
            _draw_cell(figure, values, column, left, height - HEAD - i * step - CELL)
        bar = place(figure, left, FOOT - 0.04, CELL, BAR)
        clipped = column.scale.outside(column.maps) > 0
        print_scale(bar, column.scale, "", colormap=_colormap(column), clipped=clipped, horizontal=True)
        bar.tick_params(labelsize=6.5, length=2, pad=1)
    return figure


def _colormap(column: Column) -> Colormap:
    if column.maps.ndim == 4:
        return matplotlib.colormaps["gray"]
    return matplotlib.colormaps["gray_r"] if column.gray else column.scale.colormap


def _write_title(figure: Figure, column: Column, left: float, height: float, rows: int) -> None:
    """The column's title, and its sign before each of its cells."""
    across, up = figure.get_size_inches()
    lines = "\n".join(shortened(line, 22) for line in column.title.split("\n"))
    figure.text(left / across, (height - HEAD + 0.05) / up, lines, va="bottom", fontsize=8, parse_math=False)
    for i in range(rows):
        y = (height - HEAD - i * (CELL + GAP) - CELL / 2) / up
        figure.text((left - SIGN / 2) / across, y, column.sign, ha="center", va="center", fontsize=14)


def _draw_cell(
    figure: Figure, values: Float[np.ndarray, "h w *rgb"], column: Column, left: float, bottom: float
) -> None:
    """One map with a thin frame, as a white one has no visible edge; NaN has the color of a gutter."""
    h, w = values.shape[:2]
    width, height = CELL * w / max(h, w), CELL * h / max(h, w)
    ax = place(figure, left + (CELL - width) / 2, bottom + (CELL - height) / 2, width, height)
    scale, values = column.scale, masked(values)
    if values.ndim == 3:
        ax.imshow(np.nan_to_num(np.clip((values - scale.low) / (scale.high - scale.low), 0, 1)), aspect="auto")
    else:
        shown = scale.clipped(values)
        ax.imshow(shown, cmap=_colormap(column), norm=scale.norm, aspect="auto", interpolation="none")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set(color="0.7", linewidth=0.6)
