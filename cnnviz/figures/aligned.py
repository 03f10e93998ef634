"""Training curves of several networks on one axis: the images that each had seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from cnnviz.figures.finite import masked
from cnnviz.figures.looks import look_of
from cnnviz.figures.names import distinct
from cnnviz.figures.style import default_style, is_narrow, page, points, room, tidy
from cnnviz.figures.ticks import round_locator

MARKED = 40  # with more records than this, markers hide the line
Line = tuple[Float[np.ndarray, " records"], Float[np.ndarray, "members records"]]


@default_style()
def aligned(panels: Mapping[str, Mapping[str, Line]], *, title: str = "") -> Figure:
    """One panel per measure with one line per network over the images that it had seen.

    Of several members the line is their mean, in a band of one standard deviation on each side; NaN is left out.
    """
    across = 1 if is_narrow() else len(panels)
    down = -(-len(panels) // across)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    height, key = (2.1 if down > 1 else 3.2), 0.22 * -(-len(names) // 2) + 0.08
    figure = page(4.4 * across, height * down + key, title)
    grid = figure.add_gridspec(down + 1, across, height_ratios=[height] * down + [key])
    for place, (measure, lines) in enumerate(panels.items()):
        ax = figure.add_subplot(grid[divmod(place, across)])
        for i, (name, (seen, values)) in enumerate(lines.items()):
            _draw(ax, name, seen, masked(values), look_of(i))
        tidy(ax).set_ylabel(measure)
        ax.set_xlabel("images seen")
        ax.set_xlim(left=0)
        ax.xaxis.set_major_locator(round_locator(5))
        ax.xaxis.set_major_formatter(FuncFormatter(short))
    fit = distinct(list(names), 0.36 * room(4.4 * across), 8)
    bottom = figure.add_subplot(grid[-1, :])
    bottom.set_axis_off()
    bottom.legend(figure.axes[0].get_lines(), fit, loc="center", ncols=2, frameon=False, fontsize=points(8))
    return figure


def short(value: float, _: object = None) -> str:
    """A number of images as text: 540k, 1.62M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:g}"


def _draw(ax: Axes, name: str, seen: np.ndarray, values: np.ndarray, look: Mapping[str, Any]) -> None:
    count = (~np.isnan(values)).sum(0)
    mean = np.nansum(values, 0) / np.where(count, count, np.nan)
    size = points(4) if len(seen) <= MARKED else 0
    ax.plot(seen, mean, label=name, markersize=size, linewidth=points(1.5), **look)
    deviation = np.sqrt(np.nansum((values - mean) ** 2, 0) / np.where(count > 1, count - 1, np.nan))
    ax.fill_between(seen, mean - deviation, mean + deviation, color=look["color"], alpha=0.2, linewidth=0)
