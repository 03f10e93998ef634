"""Curves of several methods, each with the band of its interval."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.fonts import drawable
from cnnviz.figures.looks import look_of
from cnnviz.figures.names import distinct
from cnnviz.figures.style import NARROWEST, current_style, default_style, is_narrow, page, points, room, tidy
from cnnviz.figures.text import width_of

Band = Mapping[str, Float[np.ndarray, " steps"]]  # mean, low, high
SIDE, HIGH, KEY = 3.4, 2.6, 0.165  # inches: a panel's width and height, and a line of the key


@default_style()
def bands(
    panels: Mapping[str, Mapping[str, Band]],
    shares: Mapping[str, Float[np.ndarray, " steps"]],
    labels: Mapping[str, str],
    *,
    across: str | Mapping[str, str] = "",
    title: str = "",
) -> Figure:
    """One panel per metric with the curve of each method over `shares`.

    `labels` are the y axes', and `across` the x axes', one for all or one per metric. Panels are side by side, or on a
    narrow page below each other.
    """
    count = len(panels)
    beside = count if room(SIDE * count) >= SIDE * count - 0.3 else 1
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    columns = key_columns(names, 2 if is_narrow() else 4 if beside > 1 else 3)
    key = KEY * -(-len(names) // columns) + 0.1
    rows = -(-count // beside)
    figure = page(SIDE * beside, HIGH * rows + key, title)
    grid = figure.add_gridspec(rows + 1, beside, height_ratios=[HIGH] * rows + [key])
    axes = [figure.add_subplot(grid[i // beside, i % beside]) for i in range(count)]
    for ax, (metric, lines) in zip(axes, panels.items(), strict=True):
        tidy(ax)
        for name, band in lines.items():
            style = look_of(names.index(name), "color", "linestyle")
            ax.plot(shares[metric], band["mean"], label=name, linewidth=points(1.4), **style)
            ax.fill_between(shares[metric], band["low"], band["high"], color=style["color"], alpha=0.18, linewidth=0)
        ax.set_title(metric, fontsize=points(9), loc="left")
        ax.set_xlabel(across if isinstance(across, str) else across[metric], fontsize=points(8))
        ax.set_ylabel(labels[metric], fontsize=points(8))
        ax.tick_params(labelsize=points(7))
    draw_key(figure.add_subplot(grid[rows, :]), axes[0], columns)
    return figure


def key_columns(names: Sequence[str], most: int) -> int:
    """In how many columns, at most `most`, a key has room for all these names."""
    widest = max((width_of(drawable(name, font := current_style().font), 7, font) for name in names), default=0.0)
    return next((columns for columns in range(most, 1, -1) if widest <= _key_width(columns)), 1)


def _key_width(columns: int) -> float:
    return (room(NARROWEST) - 0.6) / columns - 0.45


def draw_key(ax: Axes, of: Axes, columns: int) -> None:
    """What the lines or marks of other axes are called, in axes of their own."""
    ax.set_axis_off()
    handles, texts = of.get_legend_handles_labels()
    texts = distinct(texts, _key_width(columns), 7)
    ax.legend(handles, texts, loc="upper left", ncols=columns, frameon=False, fontsize=points(7), borderaxespad=0)
