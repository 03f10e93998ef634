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
from cnnviz.figures.style import (
    MARGIN,
    default_style,
    fitted,
    is_narrow,
    is_slide,
    page,
    place,
    points,
    room,
    size_of,
)

CELL = 1.3  # inches: the largest map
SIGN, WORDS = (0.36, 0.2), (1.15, 0.68)  # inches, also on a narrow page: a sign between two columns, the rows' titles
FEW, LEAST = 3, 0.6  # rows of a slide, which has more next to them if their maps have this side in inches
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
    narrow: bool
    rows: int  # of a group
    shift: float = 0.0  # of everything to the right

    def left(self, column: int) -> float:
        """The left side of a column's maps."""
        return self.shift + self.words + column * (self.cell + self.sign)

    def bottom(self, row: int) -> float:
        """The lower side of a row's maps."""
        return self.height - HEAD - row * (self.cell + GAP) - self.cell


def planned(rows: int, columns: int, groups: int = 1) -> Plan:
    """The largest maps, at most CELL, that fit the width of the page with groups of rows next to each other."""
    narrow = is_narrow() or groups > 1
    sign, words = SIGN[narrow], WORDS[narrow]
    across = room(words + columns * (CELL + sign) + MARGIN) / groups
    cell = min(CELL, (across - words - MARGIN) / columns - sign)
    each = -(-rows // groups)
    return Plan(cell, sign, words, HEAD + each * (cell + GAP) + BAR + FOOT, narrow, each)


def best_plan(rows: int, columns: int) -> Plan:
    """The plan of the page; on a slide, which is wide, two groups of rows where their maps are not too small."""
    if is_slide() and rows > FEW:
        plan = planned(rows, columns, 2)
        if plan.cell >= LEAST:
            return plan
    return planned(rows, columns)


@default_style()
def responses(rows: Sequence[str], columns: Sequence[Column], *, title: str = "") -> Figure:
    """One row per channel under the columns' titles; each column's scale is printed below it."""
    plan = best_plan(len(rows), len(columns))
    width, groups = plan.left(len(columns)) + MARGIN, -(-len(rows) // plan.rows)
    figure = page(groups * width, plan.height, title, arranged=False)
    for group in range(groups):
        part = slice(group * plan.rows, (group + 1) * plan.rows)
        _draw_group(figure, rows[part], columns, part, plan._replace(shift=group * width))
    return figure


def _draw_group(figure: Figure, rows: Sequence[str], columns: Sequence[Column], part: slice, plan: Plan) -> None:
    """Some of the rows, those in `part` of each column, with the columns' titles and scales."""
    small = points(6.5)
    for i, row in enumerate(rows):
        at = MARGIN + plan.shift, plan.bottom(i) + plan.cell / 2
        _write(figure, at, row, fontsize=small if plan.narrow else points(8), va="center", linespacing=1.3)
    for k, column in enumerate(columns):
        _write_title(figure, column, plan, plan.left(k), len(rows))
        for i, values in enumerate(column.maps[part]):
            _draw_cell(figure, values, column, plan, plan.left(k), plan.bottom(i))
        bar = place(figure, plan.left(k), FOOT - 0.04, plan.cell, BAR)
        clipped = column.scale.outside(column.maps) > 0
        print_scale(bar, column.scale, "", colormap=_colormap(column), clipped=clipped, horizontal=True)
        bar.tick_params(labelsize=points(5.9) if plan.narrow else small, length=points(2), pad=points(1))


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
    size = 6 if plan.narrow else 8
    lines = "\n".join(fitted(line, plan.cell + plan.sign - 0.06, size) for line in column.title.split("\n"))
    _write(figure, (left, plan.height - HEAD + 0.05), lines, va="bottom", fontsize=points(size))
    for i in range(rows):
        at = left - plan.sign / 2, plan.bottom(i) + plan.cell / 2
        _write(figure, at, column.sign, ha="center", va="center", fontsize=points(8 if plan.narrow else 14))


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
