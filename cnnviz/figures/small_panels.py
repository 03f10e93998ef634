"""Lines of several networks in one small panel per layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from cnnviz.figures.bands import KEY, draw_key, key_columns
from cnnviz.figures.looks import look_of
from cnnviz.figures.style import default_style, fitted, is_narrow, is_slide, page, points, room, tidy
from cnnviz.figures.ticks import round_locator

SIDE, HIGH = 2.5, 1.7  # inches: a panel
Lines = tuple[Float[np.ndarray, " x"], Float[np.ndarray, "members x"]]


@dataclass(frozen=True)
class Panel:
    """The values of each network, one row per member; and the text in the panel's upper right corner."""

    lines: Mapping[str, Lines]
    text: str = ""


@default_style()
def small_panels(
    panels: Mapping[str, Panel],
    *,
    axes: tuple[str, str] = ("", ""),
    logarithmic: bool = False,
    steps: bool = False,
    title: str = "",
) -> Figure:
    """A panel per layer with a line for each network: of several members their mean, in a band of one deviation.

    `axes` are the labels of x and y. The y axis may be logarithmic; with `steps` lines are those of histograms.
    """
    across = max(1, min(len(panels), _across(len(panels))))
    down = -(-len(panels) // across)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel.lines))
    columns = key_columns(names, 2 if is_narrow() else 3)
    key = KEY * -(-len(names) // columns) + 0.1
    figure = page(SIDE * across + 0.3, HIGH * down + key + 0.2, title)
    grid = figure.add_gridspec(down + 1, across, height_ratios=[HIGH] * down + [key])
    for place, (layer, panel) in enumerate(panels.items()):
        ax = tidy(figure.add_subplot(grid[divmod(place, across)]))
        _draw(ax, panel, names, steps)
        _finish(ax, fitted(layer, 0.7 * room(SIDE * across) / across, 8), panel.text, logarithmic)
        ax.set_ylabel(axes[1] if place % across == 0 else "", fontsize=points(8))
        ax.set_xlabel(axes[0] if place + across >= len(panels) else "", fontsize=points(8))
    draw_key(figure.add_subplot(grid[-1, :]), _all_named(figure.axes[0], names), columns)
    return figure


def _across(count: int) -> int:
    """How many panels are next to each other: of four all on a slide, else two, so that no row has one."""
    return 2 if is_narrow() and not is_slide() else 3 if count != 4 else 4 if is_slide() else 2


def _draw(ax: Axes, panel: Panel, names: list[str], steps: bool) -> None:
    for name, (x, every) in panel.lines.items():
        look = look_of(names.index(name), "color", "linestyle")
        mean = every.mean(axis=0)
        ax.plot(x, mean, linewidth=points(1.4), drawstyle="steps-mid" if steps else "default", **look)
        if len(every) > 1:
            ends = mean - every.std(axis=0, ddof=1), mean + every.std(axis=0, ddof=1)
            step = "mid" if steps else None
            ax.fill_between(x, *ends, step=step, color=look["color"], alpha=0.25, linewidth=0)


def _all_named(ax: Axes, names: list[str]) -> Axes:
    """The axes with one empty line per network, for the legend, whichever networks its own panel has."""
    for i, name in enumerate(names):
        ax.plot([], [], label=name, linewidth=points(1.4), **look_of(i, "color", "linestyle"))
    return ax


def _finish(ax: Axes, name: str, text: str, logarithmic: bool) -> None:
    ax.set_title(name, fontsize=points(8), loc="left", parse_math=False)
    ax.text(0.98, 0.97, text, transform=ax.transAxes, ha="right", va="top", fontsize=points(7), parse_math=False)
    ax.tick_params(labelsize=points(7))
    ax.xaxis.set_major_locator(round_locator(3))
    ax.xaxis.set_major_formatter("{x:g}")  # 0 and not 0.000, which would touch its neighbors
    if logarithmic:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
        ax.yaxis.set_major_locator(round_locator(3))
