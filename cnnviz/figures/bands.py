"""Curves of several methods, each with the band of its interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from cnnviz.figures.style import default_style, is_narrow, page, points, room, tidy

Band = Mapping[str, Float[np.ndarray, " steps"]]  # mean, low, high
# Okabe and Ito's palette without its yellow, which is too light for lines; dashes tell the lines apart as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", ":", "-.")
SIDE, KEY = 3.4, 0.2  # inches: a panel's width and height, and a line of the key


def style_of(i: int) -> dict[str, Any]:
    """The color and dashes of the i-th line."""
    return {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i // len(COLORS) % len(DASHES)]}


@default_style()
def bands(
    panels: Mapping[str, Mapping[str, Band]],
    shares: Mapping[str, Float[np.ndarray, " steps"]],
    labels: Mapping[str, str],
    *,
    across: str = "",
    title: str = "",
) -> Figure:
    """One panel per metric with the curve of each method over `shares`.

    `labels` are the y axes', and `across` the x axes'. Panels are side by side, or on a narrow page below each other.
    """
    count = len(panels)
    beside = count if room(SIDE * count) >= SIDE * count - 0.3 else 1
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    columns = 2 if is_narrow() else 4
    key = KEY * -(-len(names) // columns) + 0.1
    figure = page(SIDE * beside, 2.6 * -(-count // beside) + key, title)
    axes = figure.subplots(-(-count // beside), beside, squeeze=False)
    for ax, (metric, lines) in zip(axes.flat, panels.items(), strict=False):
        tidy(ax)
        for name, band in lines.items():
            style = style_of(names.index(name))
            ax.plot(shares[metric], band["mean"], label=name, linewidth=points(1.4), **style)
            ax.fill_between(shares[metric], band["low"], band["high"], color=style["color"], alpha=0.18, linewidth=0)
        ax.set_title(metric, fontsize=points(9), loc="left")
        ax.set_xlabel(across, fontsize=points(8))
        ax.set_ylabel(labels[metric], fontsize=points(8))
        ax.tick_params(labelsize=points(7))
    handles, texts = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower left", ncols=columns, frameon=False, fontsize=points(7))
    return figure
