"""Attribution maps: one row per image, one column per method, one printed scale per column.

Of signals, a map is the background of the signal's curve.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.finite import masked
from cnnviz.figures.image import draw_image, draw_signal
from cnnviz.figures.scales import Scale, print_scale
from cnnviz.figures.style import MARGIN, default_style, page, place, shortened

SIGNAL = 0.7, 2.2  # inches: the height and width of a signal
CELL, GAP, LINE = 1.15, 0.12, 0.16  # inches: a map, the space after it, a line of text
WORDS, HEAD, BAR, FOOT = 1.75, 0.46, 0.09, 0.3  # inches: row title, column title, color bar, the color bar's numbers


class Column(NamedTuple):
    """The maps of one method, all on `scale`; `notes` has one line of text per map, or is empty."""

    maps: Float[np.ndarray, "n *sides"]
    scale: Scale
    notes: Sequence[str] = ()


@default_style()
def attributions(
    images: Shaped[np.ndarray, "n *sides c"], rows: Sequence[str], columns: Mapping[str, Column], *, title: str = ""
) -> Figure:
    """One row per image: its title (of one or more lines), the image, and the map of each method.

    Images are uint8 pictures `[n h w c]` or signals `[n t c]`. Each column has its name above, in up to three lines,
    and its scale below.
    """
    count, (cell, width) = len(images), _cell(images)
    noted = any(any(column.notes) for column in columns.values())
    step = cell + GAP + (LINE if noted else 0)
    height = HEAD + count * step + BAR + FOOT
    across = width + GAP
    figure = page(WORDS + (len(columns) + 1) * across + MARGIN, height, title, arranged=False)
    tops = [height - HEAD - i * step for i in range(count)]
    _write_rows(figure, rows, tops)
    ax = _column(figure, WORDS, across - GAP, tops, cell, "image")
    for i, pixels in enumerate(images):
        draw_image(ax, pixels, _extent(i, step, cell, across - GAP))
    _frame(ax, tops, cell, across - GAP)
    for k, (name, column) in enumerate(columns.items(), 1):
        left = WORDS + k * across
        ax = _column(figure, left, across - GAP, tops, cell, name)
        _draw_maps(ax, column, step, cell, across - GAP)
        for i, signal in enumerate(images if images.ndim == 3 else ()):
            draw_signal(ax, signal, _extent(i, step, cell, across - GAP))
        _frame(ax, tops, cell, across - GAP)
        bar = place(figure, left, FOOT, across - GAP, BAR)
        _print_scale(bar, column)
    return figure


def _cell(images: Shaped[np.ndarray, "n *sides c"]) -> tuple[float, float]:
    """The height and width of a cell in inches."""
    if images.ndim == 3:
        return SIGNAL
    h, w = images.shape[1:3]
    return CELL * h / max(h, w), CELL * w / max(h, w)


def _column(figure: Figure, left: float, width: float, tops: Sequence[float], cell: float, name: str) -> Axes:
    """Axes that hold the cells of a column under its name; all sizes are in inches."""
    bottom = tops[-1] - cell
    ax = place(figure, left, bottom, width, tops[0] - bottom)
    lines = [shortened(part, 22) for line in name.split("\n") for part in _folded(line, 20)][:3]
    ax.set_title("\n".join(lines), fontsize=7.5, loc="left", pad=3, linespacing=1.1, parse_math=False)
    return ax


def _folded(line: str, length: int) -> list[str]:
    """The line, broken after underscores into lines of at most `length` characters where possible."""
    parts = [""]
    for word in re.findall("[^_]*_|[^_]+", line):
        parts = [*parts[:-1], parts[-1] + word] if len(parts[-1] + word) <= length else [*parts, word]
    return [part for part in parts if part]


def _extent(i: int, step: float, cell: float, width: float) -> tuple[float, float, float, float]:
    """The extent (left, right, bottom, top) of a column's i-th cell, in inches down from the top of the first."""
    return 0.0, width, i * step + cell, i * step


def _draw_maps(ax: Axes, column: Column, step: float, cell: float, width: float) -> None:
    for i, values in enumerate(column.maps):
        extent = _extent(i, step, cell, width)
        values = column.scale.clipped(masked(values if values.ndim == 2 else values[None]))
        if np.isnan(values).all():
            ax.text(width / 2, i * step + cell / 2, "NaN", fontsize=7, ha="center", va="center")
        ax.imshow(values, cmap=column.scale.colormap, norm=column.scale.norm, extent=extent, interpolation="none")
    for i, note in enumerate(column.notes):
        ax.text(0, i * step + cell + 0.02, note, fontsize=6.5, va="top", color="0.35", parse_math=False)
    ax.set_axis_off()


def _frame(ax: Axes, tops: Sequence[float], cell: float, width: float) -> None:
    """Sets the axes' limits and draws a thin frame around each cell, as a white cell has no visible edge."""
    ax.set_xlim(0, width)
    ax.set_ylim(tops[0] - tops[-1] + cell, 0)
    ax.set_aspect("auto")
    for top in tops:
        y = tops[0] - top
        ax.plot([0, width, width, 0, 0], [y, y, y + cell, y + cell, y], color="0.8", linewidth=0.6, clip_on=False)


def _write_rows(figure: Figure, rows: Sequence[str], tops: Sequence[float]) -> None:
    across, up = figure.get_size_inches()
    for words, top in zip(rows, tops, strict=True):
        lines = "\n".join(shortened(line, 26) for line in words.split("\n"))
        place = MARGIN / across, (top - 0.02) / up
        figure.text(*place, lines, va="top", fontsize=8, linespacing=1.25, parse_math=False)


def _print_scale(ax: Axes, column: Column) -> None:
    """The color bar under a column, with pointed ends if values of its maps are clipped."""
    scale = column.scale
    print_scale(ax, scale, "", clipped=scale.outside(column.maps) > 0, horizontal=True)
    ax.tick_params(labelsize=6.5, length=2, pad=1)
