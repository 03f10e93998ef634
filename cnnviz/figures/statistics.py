"""Kernel statistics: one point per kernel; few layers have one panel each, many have one row each."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, LogLocator

from cnnviz.figures.finite import finite
from cnnviz.figures.style import BLUE, VERMILLION, default_style, fitted, folded, is_narrow, page, points, room, tidy
from cnnviz.figures.ticks import round_locator

Points = Mapping[str, tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]]  # set -> means, standard deviations
STYLES = [{"color": BLUE, "marker": "o"}, {"facecolor": "none", "edgecolor": VERMILLION, "marker": "s"}]
MOST_PANELS = 6  # layers
ROW, KEY = 0.28, 0.36  # inches: a layer, and the legend


@default_style()
def statistics(panels: Mapping[str, Points], *, title: str = "") -> Figure:
    """Mean and standard deviation of every kernel by layer and set: `scatter` of at most six layers, else `strips`.

    Values that are NaN or infinite have no point.
    """
    return (scatter if len(panels) <= MOST_PANELS else strips)(panels, title=title)


@default_style()
def scatter(panels: Mapping[str, Points], *, title: str = "", columns: int = 3) -> Figure:
    """One panel per layer: each set's kernels as points, x the mean and y the standard deviation, on shared axes."""
    columns = min(2 if len(panels) == 4 else columns, len(panels), max(1, int(room(columns * 2.7) / 1.7)))
    rows = math.ceil(len(panels) / columns)
    side = min(3.4 if columns <= 2 else 2.7, room(columns * 3.4) / columns)
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
        ax.xaxis.set_major_locator(round_locator(4, steps=[1, 2, 5, 10]))  # 0.025 would touch its neighbors
        ax.xaxis.set_major_formatter("{x:g}")
        ax.tick_params(labelsize=points(8), labelbottom=True)
    for ax in grid.flat[max(len(panels) - columns, 0) : len(panels)]:
        ax.set_xlabel("mean", fontsize=points(9))
    for ax in grid.flat[len(panels) :]:
        ax.remove()
    for ax in grid[:, 0]:
        ax.set_ylabel("standard deviation", fontsize=points(9))
    every = [deviations for sets in panels.values() for _, deviations in sets.values()]
    highest = max(float(finite(deviations).max(initial=0)) for deviations in every)
    above = KEY / (side - 0.9)  # of a panel's height: room for the legend, in which no point lies
    grid.flat[0].set_ylim(0, highest / (1 - above) or 1.0)
    grid.flat[0].legend(fontsize=points(8), frameon=False, loc="upper right", borderpad=0.1)
    return figure


@default_style()
def strips(panels: Mapping[str, Points], *, title: str = "", among: Mapping[str, Points] | None = None) -> Figure:
    """One row per layer: a tick for each kernel's mean on the left, and on the right for its standard deviation.

    The first set's ticks are above the second's. The axis of deviations is logarithmic; those of zero have no tick.
    The axes have room for the layers `among` which these are, by default these.
    """
    figure = page(8.6, ROW * len(panels) + 0.8, title)
    left, right = figure.subplots(1, 2, sharey=True)
    sets = dict.fromkeys(name for own in panels.values() for name in own)
    for name, color, shift in zip(sets, (BLUE, VERMILLION), (-0.2, 0.2), strict=False):
        rows = {y + shift: own[name] for y, own in enumerate(panels.values()) if name in own}
        _draw_ticks(left, {y: means[np.isfinite(means)] for y, (means, _) in rows.items()}, color, name)
        known = {y: deviations[np.isfinite(deviations) & (deviations > 0)] for y, (_, deviations) in rows.items()}
        _draw_ticks(right, known, color, name)
    _style_rows(left, list(panels), "mean")
    _style_rows(right, list(panels), "standard deviation (logarithmic axis)")
    left.axvline(0, color="0.75", linewidth=0.8, zorder=0)
    right.set_xscale("log")
    _make_room(left, right, among or panels)
    right.xaxis.set_major_locator(_log_ticks(*right.get_xlim()))
    if is_narrow():
        left.xaxis.set_major_locator(round_locator(2))
    right.xaxis.set_major_formatter("{x:g}")
    right.xaxis.set_minor_formatter("")
    columns = 1 if is_narrow() else 2  # what is wider than the axes would take its room from between them
    right.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=columns, fontsize=points(8), frameon=False)
    return figure


def _make_room(left: Axes, right: Axes, panels: Mapping[str, Points]) -> None:
    """Limits of both axes within which all of the layers' ticks lie."""
    every = [points_ for sets in panels.values() for points_ in sets.values()]
    means, deviations = (finite(np.concatenate([each[i] for each in every])) for i in (0, 1))
    for ax, values in ((left, means), (right, deviations[deviations > 0])):
        if values.size and values.min() < values.max():
            ax.update_datalim([(float(end), 0.0) for end in (values.min(), values.max())], updatey=False)
            ax.autoscale_view(scaley=False)


def _log_ticks(lowest: float, highest: float) -> Locator:
    """Ticks of a logarithmic axis from `lowest` to `highest`: some, whose labels do not touch."""
    most, decades = 3 if is_narrow() else 6, np.log10(highest / lowest)
    if decades < 0.3:
        return round_locator(most)
    finest = ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 5))
    return LogLocator(subs=next((multiples for multiples in finest if len(multiples) * decades <= most), (1,)))


def _draw_ticks(ax: Axes, rows: Mapping[float, Float[np.ndarray, " n"]], color: str, name: str) -> None:
    """The values of each row as vertical ticks at the height that is its key."""
    x = np.concatenate([*rows.values()])
    y = np.repeat([*rows], [len(values) for values in rows.values()])
    ax.plot(
        x, y, "|", color=color, markersize=points(72 * ROW * 0.34), markeredgewidth=points(0.8), alpha=0.6, label=name
    )


def _style_rows(ax: Axes, names: Sequence[str], label: str) -> None:
    """Names the rows, separates them by thin lines, and labels the axis."""
    size = 7 if is_narrow() else 8
    ax.set_yticks(
        range(len(names)),
        ["\n".join(folded(name, 0.25 * room(8.6), size)[:2]) for name in names],
        fontsize=points(size),
        parse_math=False,
    )
    ax.set_ylim(len(names) - 0.5, -0.5)
    for y in range(1, len(names)):
        ax.axhline(y - 0.5, color="0.9", linewidth=0.8, zorder=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=points(8))
    ax.set_xlabel(label.replace(" (", "\n(") if is_narrow() else label, fontsize=points(8 if is_narrow() else 9))
