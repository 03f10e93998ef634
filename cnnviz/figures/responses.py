"""Kernels beside the maps that they make: one row per channel, from what goes in to what comes out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from cnnviz.figures.finite import masked
from cnnviz.figures.montage import Maps
from cnnviz.figures.scales import Scale, print_scale
from cnnviz.figures.style import MARGIN, default_style, fitted, is_narrow, page, place, points, room, size_of

CELL = 1.3  # inches: the largest map
SIGN, WORDS = (0.36, 0.2), (1.15, 0.68)  # inches, also on a narrow page: a sign between two columns, the rows' titles
HEAD, GAP, BAR, FOOT = 0.42, 0.14, 0.09, 0.3  # inches: column titles, between rows, the scale and its numbers


class Column(NamedTuple):
    """One map per row, `[n h w]` or `[n h w rgb]`, all on `scale`, with the sign that stands before it."""

    title: str
    maps: Maps
    scale: Scale
    sign: str = ""
    gray: bool = False  # dark on white, as the images are drawn


class Plan(NamedTuple):
    """The places on the page, in inches: a map's side, the signs between columns, the rows' titles, and the height."""

    cell: float
    sign: float
    words: float
    height: float

    def left(self, column: int) -> float:
        """The left side of a column's maps."""
        return self.words + column * (self.cell + self.sign)

    def bottom(self, row: int) -> float:
        """The lower side of a row's maps."""
        return self.height - HEAD - row * (self.cell + GAP) - self.cell


def planned(rows: int, columns: int) -> Plan:
    """The largest maps, at most CELL, that fit the width of the page."""
    sign, words = (SIGN[is_narrow()], WORDS[is_narrow()])
    across = room(words + columns * (CELL + sign) + MARGIN)
    cell = min(CELL, (across - words - MARGIN) / columns - sign)
    return Plan(cell, sign, words, HEAD + rows * (cell + GAP) + BAR + FOOT)


@default_style()
def responses(rows: Sequence[str], columns: Sequence[Column], *, title: str = "") -> Figure:
    """One row per channel under the columns' titles; each column's scale is printed below it."""
    plan, small = planned(len(rows), len(columns)), points(6.5)
    figure = page(plan.left(len(columns)) + MARGIN, plan.height, title, arranged=False)
    for i, row in enumerate(rows):
        at = MARGIN, plan.bottom(i) + plan.cell / 2
        _write(figure, at, row, fontsize=small if is_narrow() else points(8), va="center", linespacing=1.3)
    for k, column in enumerate(columns):
        _write_title(figure, column, plan, plan.left(k), len(rows))
        for i, values in enumerate(column.maps):
            _draw_cell(figure, values, column, plan, plan.left(k), plan.bottom(i))
        bar = place(figure, plan.left(k), FOOT - 0.04, plan.cell, BAR)
        clipped = column.scale.outside(column.maps) > 0
        print_scale(bar, column.scale, "", colormap=_colormap(column), clipped=clipped, horizontal=True)
        bar.tick_params(labelsize=points(5.5) if is_narrow() else small, length=points(2), pad=points(1))
    return figure


def _write(figure: Figure, at: tuple[float, float], text: str, **options: Any) -> None:
    """Writes a text at a place in inches from the lower left corner."""
    across, up = size_of(figure)
    figure.text(at[0] / across, at[1] / up, text, parse_math=False, **options)


def _colormap(column: Column) -> Colormap:
    if column.maps.ndim == 4:
        return matplotlib.colormaps["gray"]
    return matplotlib.colormaps["gray_r"] if column.gray else column.scale.colormap


def _write_title(figure: Figure, column: Column, plan: Plan, left: float, rows: int) -> None:
    """The column's title, and its sign before each of its cells."""
    size = 6 if is_narrow() else 8
    lines = "\n".join(fitted(line, plan.cell + plan.sign - 0.06, size) for line in column.title.split("\n"))
    _write(figure, (left, plan.height - HEAD + 0.05), lines, va="bottom", fontsize=points(size))
    for i in range(rows):
        at = left - plan.sign / 2, plan.bottom(i) + plan.cell / 2
        _write(figure, at, column.sign, ha="center", va="center", fontsize=points(8 if is_narrow() else 14))


def _draw_cell(
    figure: Figure, values: Float[np.ndarray, "h w *rgb"], column: Column, plan: Plan, left: float, bottom: float
) -> None:
    """One map with a thin frame, as a white one has no visible edge; NaN has the color of a gutter."""
    (h, w), cell = values.shape[:2], plan.cell
    width, height = cell * w / max(h, w), cell * h / max(h, w)
    ax = place(figure, left + (cell - width) / 2, bottom + (cell - height) / 2, width, height)
    scale, values = column.scale, masked(values)
    if values.ndim == 3:
        ax.imshow(np.nan_to_num(np.clip((values - scale.low) / (scale.high - scale.low), 0, 1)), aspect="auto")
    else:
        shown = scale.clipped(values.astype(np.float64))
        ax.imshow(shown, cmap=_colormap(column), norm=scale.norm, aspect="auto")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set(color="0.7", linewidth=points(0.6))
