"""Numbers of layers: one row per layer, one panel per measure, one mark per network in each row."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.finite import finite
from cnnviz.figures.looks import look_of
from cnnviz.figures.names import distinct
from cnnviz.figures.style import GRAY, default_style, folded, is_narrow, page, points, room, tidy
from cnnviz.figures.ticks import round_locator

Values = Mapping[str, Float[np.ndarray, " values"]]  # the values of each layer that has any
Series = Mapping[str, Values]
MARK, LEAST = 0.1, 0.27  # inches: the height of a series in a row, and of a row
WIDE, MANY = 7.0, 40  # inches: a page for all panels side by side; with more values than this, ticks are pale
BELOW, KEY = 0.62, 0.2  # inches: the axis below a panel, and a line of the key
REFERENCE: dict[str, Any] = {"color": "0.2", "marker": "x"}


@default_style()
def by_layer(
    layers: Sequence[str],
    panels: Mapping[str, Series],
    *,
    references: Sequence[str] = (),
    ends: tuple[float, float] | None = None,
    title: str = "",
) -> Figure:
    """Of each series the mean of a layer's values as a mark, and each value as a tick, where there are several.

    Series in `references`, such as what chance gives, are gray. `ends` are those of the panels' axes, by default those
    of the values; what is NaN or infinite is left out. On a page with less room panels are below each other.
    """
    across = min(len(panels), 4 if room(10.7) > WIDE else 2 - len(panels) % 2)
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    looks = _looks(names, references)
    parts = [tuple(panels.items())[start : start + across] for start in range(0, len(panels), across)]
    shown = [_with_values(layers, [series for _, series in part]) for part in parts]
    heights = [row_height(len(names)) * len(rows) + BELOW for rows in shown]
    columns = 2 if is_narrow() else 3
    key = KEY * -(-len(names) // columns) + 0.1
    width = 2.4 * across + 1.3
    figure = page(width, sum(heights) + key, title)
    grid = figure.add_gridspec(len(parts) + 1, across, height_ratios=[*heights, key])
    for place, (measure, series) in enumerate(panels.items()):
        ax, rows = tidy(figure.add_subplot(grid[divmod(place, across)])), shown[place // across]
        _draw(ax, rows, series, names, looks)
        _finish(ax, rows, measure, place % across == 0, ends)
    _explain(figure.add_subplot(grid[-1, :]), looks, columns, room(width) / columns - 0.5)
    return figure


def row_height(series: int) -> float:
    """The height of a layer's row with so many series, in inches."""
    return max(LEAST, MARK * (series + 1))


def _with_values(layers: Sequence[str], side_by_side: Sequence[Series]) -> list[str]:
    """The layers of which a panel has a value, which share their rows; all if none has."""
    has = lambda layer: any(np.size(values.get(layer, ())) for series in side_by_side for values in series.values())
    return [layer for layer in layers if has(layer)] or list(layers)


def _looks(names: Sequence[str], references: Sequence[str]) -> dict[str, dict[str, Any]]:
    own = [name for name in names if name not in references]
    looks = {name: look_of(i, "color", "marker") for i, name in enumerate(own)}
    return {name: looks.get(name, REFERENCE) for name in names}


def _draw(ax: Axes, layers: Sequence[str], series: Series, names: Sequence[str], looks: Mapping[str, Any]) -> None:
    """Every series of a panel, at a height of its own in each row."""
    for i, name in enumerate(names):
        shift = 0.7 * ((i + 0.5) / len(names) - 0.5)
        for row, layer in enumerate(layers):
            values = finite(np.asarray(series.get(name, {}).get(layer, np.zeros(0)), np.float64))
            if not values.size:
                continue
            y, color = row + shift, looks[name]["color"]
            if values.size > 1:
                alpha = 0.35 if values.size > MANY else 0.7
                ax.plot(
                    values,
                    np.full(values.size, y),
                    "|",
                    color=GRAY if looks[name] is REFERENCE else color,
                    markersize=points(7),
                    alpha=alpha,
                )
            edge = {} if looks[name] is REFERENCE else {"markeredgecolor": "white", "markeredgewidth": points(0.7)}
            ax.plot([values.mean()], [y], linestyle="none", markersize=points(5), zorder=4, **looks[name], **edge)


def _finish(ax: Axes, layers: Sequence[str], measure: str, is_first: bool, ends: tuple[float, float] | None) -> None:
    """The names of the layers to the left of the first panel, lines between rows, and the axis."""
    size = 7.5 if is_narrow() else 8.5
    names = ["\n".join(folded(name, 0.24 * room(8.6), size)[:2]) for name in layers] if is_first else [""] * len(layers)
    ax.grid(False, axis="y")
    ax.grid(axis="x", color="0.9", linewidth=points(0.8))
    ax.set_yticks(range(len(layers)), names, fontsize=points(size), parse_math=False)
    ax.set_ylim(len(layers) - 0.5, -0.5)
    for y in range(1, len(layers)):
        ax.axhline(y - 0.5, color="0.9", linewidth=points(0.8), zorder=0)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=points(size - 0.5))
    ax.xaxis.set_major_locator(round_locator(3, min_n_ticks=2))
    ax.margins(x=0.08)
    if ends is not None:
        ax.set_xlim(*ends)
    ax.set_xlabel(measure, fontsize=points(size))


def _explain(ax: Axes, looks: Mapping[str, Any], columns: int, width: float) -> None:
    """A legend of the series, whose names have `width` inches, on axes of its own."""
    ax.set_axis_off()
    size = 7.5 if is_narrow() else 8.5
    marks = [ax.plot([], [], linestyle="none", markersize=points(4), **look)[0] for look in looks.values()]
    names = distinct(list(looks), width, size)
    ax.legend(marks, names, loc="center", ncols=columns, frameon=False, fontsize=points(size), borderaxespad=0)
