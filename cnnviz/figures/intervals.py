"""Values with their intervals, one row per name and one panel per measure: a forest plot."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.names import distinct
from cnnviz.figures.style import (
    BLUE,
    VERMILLION,
    current_style,
    default_style,
    fitted,
    is_narrow,
    is_slide,
    page,
    points,
    room,
    tidy,
)
from cnnviz.figures.text import Size, width_of, wrapped
from cnnviz.figures.ticks import round_locator

ROW, NARROW_ROW, KEY = 0.34, 0.27, 0.3  # inches: the height of a row, and of the legend
LINE, MOST_LINES = 0.15, 3  # inches: a further line of an axis label, and how many it has
WIDE = 7.0  # inches: a page for four panels side by side
MINUS = "− "  # before the second one of a pair
NONE = np.zeros(0)


@dataclass(frozen=True)
class Row:
    """A value with intervals over images and over seeds, NaN for none, and the single members' values."""

    value: float
    images: tuple[float, float] = (np.nan, np.nan)
    seeds: tuple[float, float] = (np.nan, np.nan)
    members: Float[np.ndarray, " members"] = field(default_factory=lambda: NONE)


@default_style()
def intervals(
    names: Sequence[str],
    panels: Mapping[str, Sequence[Row]],
    *,
    zero: bool = False,
    alike: int = 1,
    title: str = "",
    legend: str = "",
) -> Figure:
    """One row per name from the top down, in one panel per measure; with `zero` a line marks no difference.

    The first `alike` panels have one scale. `legend` is what the members are called. Panels are side by side, or on a
    page with less room below each other, an even number two in a row.
    """
    across = min(len(panels), 4 if room(10.7) > WIDE else 2 - len(panels) % 2)
    down = -(-len(panels) // across)
    size, names = 8 if is_narrow() else 9, _row_names(names)
    labels = _labels([*panels], names, across, size)
    height = (NARROW_ROW if is_narrow() else ROW) * len(names) + 0.75 + LINE * (max(map(len, labels)) - 1)
    figure = page(2.3 * across + 1.5, height * down + KEY, title)
    grid = figure.add_gridspec(down + 1, across, height_ratios=[height] * down + [KEY])
    for place, (label, rows) in enumerate(zip(labels, panels.values(), strict=True)):
        ax = figure.add_subplot(grid[divmod(place, across)])
        _draw(tidy(ax), rows, zero)
        ax.set_xlabel("\n".join(label), fontsize=points(size), parse_math=False)
        _name(ax, names if place % across == 0 else [""] * len(names))
    ends = np.array([ax.get_xlim() for ax in figure.axes[:alike]])
    for ax in figure.axes[:alike]:
        ax.set_xlim(ends.min(), ends.max())
    _explain(figure.add_subplot(grid[-1, :]), [row for rows in panels.values() for row in rows], legend)
    return figure


def _labels(measures: Sequence[str], names: Sequence[str], across: int, size: Size) -> list[list[str]]:
    """The lines of each panel's axis label, no wider than the panel, which is right of the rows' names."""
    font, own = current_style().font, _name_size()
    left = max((width_of(line, own, font) for name in names for line in name.split("\n")), default=0.0)
    width = (room(2.3 * across + 1.5) - left - 0.2) / across - 0.15
    return [wrapped(measure, width, size, MOST_LINES, font) for measure in measures]


def _draw(ax: Axes, rows: Sequence[Row], zero: bool) -> None:
    is_tight = is_narrow() or is_slide()
    ax.grid(False, axis="y")
    ax.grid(axis="x", color="0.9", linewidth=points(0.8))
    if zero:
        ax.axvline(0, color="0.3", linewidth=points(0.9), zorder=1)
    for y, row in enumerate(rows):
        ax.hlines(y - 0.12, *row.images, color=BLUE, linewidth=points(2.4), zorder=3)
        ax.hlines(y + 0.16, *row.seeds, color=VERMILLION, linewidth=points(1.2), linestyle="-", zorder=3)
        ax.plot(row.members, np.full(len(row.members), y + 0.16), "|", color=VERMILLION, markersize=points(6), zorder=2)
        ax.plot([row.value], [y - 0.12], "o", color=BLUE, markersize=points(4.5), zorder=4)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.xaxis.set_major_locator(round_locator(2 if is_tight else 3, min_n_ticks=2))
    if is_tight:
        ax.xaxis.set_major_formatter("{x:g}")  # 0.000 would touch its neighbors
    ax.margins(x=0.12)


def _name(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), names, fontsize=points(_name_size()), parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=points(7.5 if is_narrow() else 8.5))
    ax.spines["left"].set_visible(False)


def _name_size() -> Size:
    """The size of the rows' names in points."""
    return 7.5 if is_narrow() else 9


def _row_names(names: Sequence[str]) -> list[str]:
    """The rows' names in one or two lines each, which differ where they are shortened."""
    size, width = _name_size(), 0.3 * room(9.0)
    split = [_in_two(name, width, size) for name in names]
    signs = [MINUS if line.startswith(MINUS) else "" for lines in split for line in lines]
    every = [line.removeprefix(MINUS) for lines in split for line in lines]
    fit = distinct(every, width - any(signs) * width_of(MINUS, size, current_style().font), size)
    shown = iter(sign + line for sign, line in zip(signs, fit, strict=True))
    return ["\n".join(islice(shown, len(lines))) for lines in split]


def _in_two(name: str, width: float, size: Size) -> list[str]:
    """The name, of which a long one is in two lines, broken after a comma or before a minus sign."""
    if fitted(name, width, size) == name:
        return [name]
    places = [at.end() for at in re.finditer(r", | (?=− )", name)] or [len(name)]
    at = min(places, key=lambda place: max(place, len(name) - place))
    return [line for line in (name[:at].strip(), name[at:].strip()) if line]


def _explain(ax: Axes, rows: Sequence[Row], legend: str) -> None:
    """A legend of the kinds of interval that are drawn, on axes of its own."""
    size, handles = points(7.5 if is_narrow() else 8.5), []
    ax.set_axis_off()
    if any(np.isfinite(row.images).all() for row in rows):
        handles += ax.plot([], [], "-o", color=BLUE, linewidth=points(2.4), markersize=points(4.5), label="over images")
    if any(np.isfinite(row.seeds).all() for row in rows):
        handles += ax.plot([], [], "-", color=VERMILLION, linewidth=points(1.2), label="over seeds")
    if any(len(row.members) for row in rows):
        handles += ax.plot([], [], "|", color=VERMILLION, markersize=points(6), label=legend or "each seed")
    if handles:
        ax.legend(handles=handles, loc="center", ncols=3, frameon=False, fontsize=size, columnspacing=1.2)
