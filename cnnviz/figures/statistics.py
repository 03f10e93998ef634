"""Scatter plots of kernel statistics: one point per kernel, one panel per layer, the same axes for all."""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnviz.figures.finite import finite
from cnnviz.figures.style import BLUE, VERMILLION, default_style, fitted, page, points, room, tidy

Points = Mapping[str, tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]]  # set -> means, standard deviations
STYLES = [{"color": BLUE, "marker": "o"}, {"facecolor": "none", "edgecolor": VERMILLION, "marker": "s"}]


@default_style()
def scatter(panels: Mapping[str, Points], *, title: str = "", columns: int = 4) -> Figure:
    """One panel per layer: each set's kernels as points, x the mean and y the standard deviation, on shared axes.

    Kernels whose mean or deviation is NaN or infinite have no point.
    """
    columns = min(columns, len(panels), int(room(columns * 2.5) / 1.7))
    rows = math.ceil(len(panels) / columns)
    side = min(3.4 if columns <= 2 else 2.5, room(columns * 3.4) / columns)
    figure = page(columns * side + 0.4, rows * side + 0.4, title)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, (name, sets) in zip(grid.flat, panels.items(), strict=False):
        for (set_name, (means, deviations)), style in zip(sets.items(), STYLES, strict=False):
            known = np.isfinite(means) & np.isfinite(deviations)
            ax.scatter(
                means[known],
                deviations[known],
                s=points(points(18.0)),
                alpha=0.75,
                linewidths=points(0.9),
                label=set_name,
                **style,
            )
        ax.axvline(0, color="0.75", linewidth=0.8, zorder=0)
        ax.set_title(fitted(name, side - 0.6, 9), fontsize=points(9), parse_math=False)
        tidy(ax)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.tick_params(labelsize=points(8), labelbottom=True)
    for ax in grid.flat[max(len(panels) - columns, 0) : len(panels)]:
        ax.set_xlabel("mean", fontsize=points(9))
    for ax in grid.flat[len(panels) :]:
        ax.remove()
    for ax in grid[:, 0]:
        ax.set_ylabel("standard deviation", fontsize=points(9))
    every = [deviations for sets in panels.values() for _, deviations in sets.values()]
    highest = max(float(finite(deviations).max(initial=0)) for deviations in every)
    grid.flat[0].set_ylim(0, 1.08 * highest or 1.0)
    grid.flat[0].legend(fontsize=points(8), frameon=False)
    return figure
