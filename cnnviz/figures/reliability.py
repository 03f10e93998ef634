"""Reliability diagrams: accuracy against confidence, one panel per network, with the images of each bin below."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.style import BLUE, GRAY, VERMILLION, default_style, fitted, is_narrow, page, points, room, tidy

SIDE = 2.7  # inches: the width of a panel
TEXT = 0.35, 0.2  # the confidence from which on, and the accuracy below which, the text may hide a bin
Bins = Float[np.ndarray, "members bins"]


@dataclass(frozen=True)
class Panel:
    """The bins of one network: the members' accuracy and mean confidence, NaN where a bin is empty, and the share of
    all images in each bin; `text` stands in the panel.
    """

    accuracy: Bins
    confidence: Bins
    share: Float[np.ndarray, " bins"]
    text: str = ""


@default_style()
def reliability(panels: Mapping[str, Panel], *, title: str = "") -> Figure:
    """Accuracy against confidence by bin, the diagonal being perfect calibration; below it the share of all images.

    Of several members the line is their mean, each of them a thin line.
    """
    across = max(1, min(len(panels), 4, int(room(SIDE * len(panels)) / (0.55 * SIDE))))
    down = -(-len(panels) // across)
    wide = min(SIDE, room(SIDE * across) / across)
    figure = page(SIDE * across, (1.42 * wide + 0.35) * down, title)
    grid = figure.add_gridspec(2 * down, across, height_ratios=[3, 1] * down)
    for place, (name, panel) in enumerate(panels.items()):
        row, column = 2 * (place // across), place % across
        upper = figure.add_subplot(grid[row, column])
        lower = figure.add_subplot(grid[row + 1, column], sharex=upper)
        _draw(upper, panel, fitted(name, 0.8 * wide, 9), labelled=column == 0)
        _count(lower, panel, labelled=column == 0)
    return figure


def _draw(ax: Axes, panel: Panel, name: str, *, labelled: bool) -> None:
    size = 7.5 if is_narrow() else 8.5
    tidy(ax).plot([0, 1], [0, 1], color=GRAY, linewidth=points(1), linestyle=":")
    if len(panel.accuracy) > 1:
        for confidence, accuracy in zip(panel.confidence, panel.accuracy, strict=True):
            ax.plot(confidence, accuracy, color=VERMILLION, linewidth=points(0.6), alpha=0.5)
    confidence, accuracy = _mean(panel.confidence), _mean(panel.accuracy)
    known = ~np.isnan(confidence)
    ax.plot(confidence[known], accuracy[known], "-o", color=BLUE, markersize=points(3.5), linewidth=points(1.4))
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    ax.set_title(name, fontsize=points(9), loc="left", parse_math=False)
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": points(1)}
    hides = known & (confidence > TEXT[0]) & (accuracy < TEXT[1])  # an overconfident network's bins
    x, y, side, edge = (0.03, 0.97, "left", "top") if hides.any() else (0.97, 0.04, "right", "baseline")
    at = {"transform": ax.transAxes, "ha": side, "va": edge}
    ax.text(x, y, panel.text, fontsize=points(size), bbox=behind, parse_math=False, **at)
    ax.tick_params(labelsize=points(size), labelbottom=False)
    if labelled:
        ax.set_ylabel("accuracy", fontsize=points(size + 0.5))
    else:
        ax.tick_params(labelleft=False)


def _mean(values: Bins) -> Float[np.ndarray, " bins"]:
    """The mean over members of what is not NaN."""
    count = (~np.isnan(values)).sum(0)
    return np.nansum(values, 0) / np.where(count, count, np.nan)


def _count(ax: Axes, panel: Panel, *, labelled: bool) -> None:
    size, bins = 7.5 if is_narrow() else 8.5, len(panel.share)
    tidy(ax).bar((np.arange(bins) + 0.5) / bins, panel.share, width=0.9 / bins, color=BLUE)
    ax.set(ylim=(0, 1), yticks=[0, 1], xlim=(0, 1), xticks=[0, 0.5, 1])
    ax.tick_params(labelsize=points(size))
    ax.set_xlabel("confidence", fontsize=points(size + 0.5))
    if labelled:
        ax.set_ylabel("images", fontsize=points(size + 0.5))
    else:
        ax.tick_params(labelleft=False)
