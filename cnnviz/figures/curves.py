"""Training curves: one panel per measure, with the best epoch marked."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.finite import masked
from cnnviz.figures.style import BLUE, GRAY, VERMILLION, default_style, is_narrow, page, points, room, tidy
from cnnviz.figures.ticks import round_locator

Lines = Mapping[str, Float[np.ndarray, "networks epochs"]]
STYLES: list[dict[str, Any]] = [{"color": BLUE, "marker": "o"}, {"color": VERMILLION, "marker": "s", "linestyle": "--"}]
SIDE = 2.4  # inches: the least width of a panel
MARKED = 40  # with more epochs than this, markers hide the line


@default_style()
def curves(
    panels: Mapping[str, Lines], epochs: Int[np.ndarray, " epochs"], *, best: int | None = None, title: str = ""
) -> Figure:
    """One panel per measure with its lines over the epochs; a dotted line marks the epoch `best`.

    Panels are side by side, or on a narrow page below each other.

    For several networks a line is their mean, in a band of one standard deviation on each side. NaN (a network that has
    already stopped) is left out of both.
    """
    across = len(panels) if room(4.4 * len(panels)) >= SIDE * len(panels) else 1
    down = -(-len(panels) // across)
    figure = page(4.4 * across, 3.5 if down == 1 else 2.1 * down, title)
    for ax, (measure, lines) in zip(figure.subplots(down, across, squeeze=False).flat, panels.items(), strict=True):
        _draw(tidy(ax), lines, epochs, best)
        ax.set_ylabel(measure)
    return figure


def _draw(ax: Axes, lines: Lines, epochs: Int[np.ndarray, " epochs"], best: int | None) -> None:
    size = points(4.5) if len(epochs) <= MARKED else 0
    if best is not None:
        ax.axvline(best, color=GRAY, linestyle=":", linewidth=points(1.4), label=f"best epoch: {best}")
    for (name, values), style in zip(lines.items(), STYLES, strict=False):
        values = masked(values)
        count = (~np.isnan(values)).sum(0)
        mean = np.nansum(values, 0) / np.where(count, count, np.nan)
        ax.plot(epochs, mean, label=name, markersize=size, linewidth=points(1.6), **style)
        deviation = np.sqrt(np.nansum((values - mean) ** 2, 0) / np.where(count > 1, count - 1, np.nan))
        ax.fill_between(epochs, mean - deviation, mean + deviation, color=style["color"], alpha=0.2, linewidth=0)
    pad = max(0.5 if len(epochs) == 1 else 0.0, 0.03 * (epochs[-1] - epochs[0]))
    ax.set_xlim(epochs[0] - pad, epochs[-1] + pad)
    ax.xaxis.set_major_locator(round_locator(10, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    ax.set_xlabel("epoch")
    ax.legend(frameon=False, fontsize=points(8 if is_narrow() else 9))
