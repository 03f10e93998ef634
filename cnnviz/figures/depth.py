"""A measure of every layer, in order of execution: a curve over depth, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.bands import KEY, draw_key, key_columns
from cnnviz.figures.looks import look_of
from cnnviz.figures.names import distinct
from cnnviz.figures.style import default_style, free_height, is_narrow, page, points, room, tidy

LAYER, HIGH, LONGEST = 0.42, 2.9, 1.5  # inches: the width per layer, the height of the chart, the longest name
LOW = 1.6  # inches: the height of the chart on a slide, at least
PER_NAME = 0.17  # inches: names at ticks that are closer are left out


class Line(NamedTuple):
    """The value of each layer, and the ends of its interval."""

    values: Float[np.ndarray, " layers"]
    low: Float[np.ndarray, " layers"]
    high: Float[np.ndarray, " layers"]


@default_style()
def depth(
    names: Sequence[str],
    lines: Mapping[str, Line],
    levels: Mapping[str, float] | None = None,
    *,
    label: str = "",
    title: str = "",
) -> Figure:
    """The lines over the layers' names, and horizontal `levels` to compare them with, in a legend below."""
    width, size = room(min(LAYER * len(names) + 1.5, 12.0)), 7 if is_narrow() else 8
    longest = min(LONGEST, 0.075 * max(map(len, names)) + 0.1)
    columns = key_columns([*lines, *(levels or {})], 1 if is_narrow() else 2)
    key = KEY * -(-(len(lines) + len(levels or {})) // columns) + 0.1
    high = min(HIGH, max(LOW, free_height(title) - longest - key))
    figure = page(width, high + longest + key, title)
    grid = figure.add_gridspec(2, 1, height_ratios=[high + longest, key])
    ax = tidy(figure.add_subplot(grid[0]))
    for i, (name, line) in enumerate(lines.items()):
        _draw(ax, name, line, look_of(i))
    for i, (name, level) in enumerate((levels or {}).items()):
        ax.axhline(level, color="0.35", linestyle=(":", "--", "-.")[i % 3], linewidth=points(1.1), label=name, zorder=1)
    _name(ax, names, width, longest, size)
    ax.set_ylabel(label, fontsize=points(size + 0.5))
    ax.tick_params(axis="y", labelsize=points(size))
    draw_key(figure.add_subplot(grid[1]), ax, columns)
    return figure


def _draw(ax: Axes, name: str, line: Line, look: Mapping[str, Any]) -> None:
    bars = np.maximum([line.values - line.low, line.high - line.values], 0)
    sizes: dict[str, Any] = {"linewidth": points(1.4), "markersize": points(4), "capsize": points(2)}
    ax.errorbar(np.arange(len(line.values)), line.values, bars, label=name, elinewidth=points(1.2), **sizes, **look)


def _name(ax: Axes, names: Sequence[str], width: float, longest: float, size: int) -> None:
    """Every layer's name, or every so many where there is no room."""
    step = max(1, int(np.ceil(PER_NAME * len(names) / (width - 0.9))))
    places = range(0, len(names), step)
    ax.set_xticks(places, distinct([names[i] for i in places], longest, size), rotation=90, fontsize=points(size))
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.tick_params(axis="x", length=points(2))
