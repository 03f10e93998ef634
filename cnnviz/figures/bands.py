"""Curves of several methods, each with the band of its interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.style import NARROWEST, default_style, fitted, is_narrow, page, points, room, tidy

Band = Mapping[str, Float[np.ndarray, " steps"]]  # mean, low, high
# Okabe and Ito's palette without its yellow, which is too light for lines; dashes tell the lines apart as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", ":", "-.")
MARKS = "osD^vP*X<>hp"
SIDE, HIGH, KEY = 3.4, 2.6, 0.2  # inches: a panel's width and height, and a line of the key


def style_of(i: int) -> dict[str, Any]:
    """The color and dashes of the i-th line."""
    return {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i // len(COLORS) % len(DASHES)]}


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
    columns = 2 if is_narrow() else 4 if beside > 1 else 3
    key = KEY * -(-len(names) // columns) + 0.1
    rows = -(-count // beside)
    figure = page(SIDE * beside, HIGH * rows + key, title)
    grid = figure.add_gridspec(rows + 1, beside, height_ratios=[HIGH] * rows + [key])
    axes = [figure.add_subplot(grid[i // beside, i % beside]) for i in range(count)]
    for ax, (metric, lines) in zip(axes, panels.items(), strict=True):
        tidy(ax)
        for name, band in lines.items():
            style = style_of(names.index(name))
            ax.plot(shares[metric], band["mean"], label=name, linewidth=points(1.4), **style)
            ax.fill_between(shares[metric], band["low"], band["high"], color=style["color"], alpha=0.18, linewidth=0)
        ax.set_title(metric, fontsize=points(9), loc="left")
        ax.set_xlabel(across if isinstance(across, str) else across[metric], fontsize=points(8))
        ax.set_ylabel(labels[metric], fontsize=points(8))
        ax.tick_params(labelsize=points(7))
    draw_key(figure.add_subplot(grid[rows, :]), axes[0], columns)
    return figure


def draw_key(ax: Axes, of: Axes, columns: int) -> None:
    """What the lines or marks of other axes are called, in axes of their own."""
    ax.set_axis_off()
    handles, texts = of.get_legend_handles_labels()
    width = (room(NARROWEST) - 0.6) / columns - 0.45
    texts = [fitted(text, width, 7) for text in texts]
    ax.legend(handles, texts, loc="upper left", ncols=columns, frameon=False, fontsize=points(7), borderaxespad=0)
