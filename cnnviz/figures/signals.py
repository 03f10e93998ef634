"""Signals and kernels along one axis as grids of small curves, all on one scale, which is printed once."""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from cnnviz.figures.grids import BELOW, Indices, layout, panel_places, print_indices
from cnnviz.figures.montage import map_columns
from cnnviz.figures.scales import Scale
from cnnviz.figures.style import BLUE, default_style, place

Curves = Float[np.ndarray, "n t"]
CELL, RIGHT = (3, 5), 0.75  # a cell's height and width in proportion; inches for the printed scale


@default_style()
def signals(
    panels: Mapping[str, Curves],
    scale: Scale,
    *,
    title: str = "",
    label: str = "",
    columns: int | None = None,
    axes: tuple[str, str] = ("", ""),
    indices: Indices | None = None,
) -> Figure:
    """Each panel's curves as a grid under the panel's name, each in a frame from the low to the high end of `scale`.

    Indices as in `grids`. A gray line marks zero; values beyond the scale end at the frame, and NaN is a gap.
    """
    first = next(iter(panels.values()))
    columns = columns or map_columns(len(first))
    plan = layout(len(panels), len(first), columns, CELL)
    figure, places, (left, _) = panel_places(list(panels), plan, RIGHT, title)
    for ax, curves in zip(places, panels.values(), strict=True):
        _draw(ax, curves, scale, columns)
        print_indices(ax, columns, math.ceil(len(curves) / columns), axes, indices)
    height = plan.height / math.ceil(len(first) / columns)
    _print_ends(place(figure, left + 0.1, BELOW, 0.08, height), scale, label)
    return figure


def _draw(ax: Axes, curves: Curves, scale: Scale, columns: int) -> None:
    """The curves in cells of one unit each, row by row from the top."""
    rows = math.ceil(len(curves) / columns)
    row, column = np.divmod(np.arange(len(curves)), columns)
    bottom = rows - 1.0 - row
    level = np.clip((curves - scale.low) / (scale.high - scale.low), 0, 1)
    x = column[:, None] + 0.04 + 0.92 * np.linspace(0, 1, curves.shape[1])[None]
    y = bottom[:, None] + 0.06 + 0.88 * level
    zero = bottom + 0.06 + 0.88 * (0 - scale.low) / (scale.high - scale.low)
    ax.add_collection(LineCollection([[(c, z), (c + 1, z)] for c, z in zip(column, zero, strict=True)], colors="0.8"))
    ax.add_collection(LineCollection(list(np.stack([x, y], -1)), colors=BLUE, linewidths=1.1))
    edges = [[(c, b), (c + 1, b), (c + 1, b + 1), (c, b + 1), (c, b)] for c, b in zip(column, bottom, strict=True)]
    ax.add_collection(LineCollection(edges, colors="0.75", linewidths=0.6, clip_on=False))
    ax.set_xlim(0, columns)
    ax.set_ylim(0, rows)
    ax.set_axis_off()


def _print_ends(ax: Axes, scale: Scale, label: str) -> None:
    """A ruler of one frame's height with the ends of the scale and zero."""
    ax.set_ylim(scale.low - 0.068 * (scale.high - scale.low), scale.high + 0.068 * (scale.high - scale.low))
    ticks = sorted({scale.low, 0.0, scale.high})
    ax.set_yticks(ticks, labels=[f"{tick:.3g}".replace("-", "−") for tick in ticks])
    ax.yaxis.tick_right()
    ax.yaxis.set_label_position("right")
    ax.set_ylabel(label, fontsize=8)
    ax.tick_params(labelsize=8, length=2)
    ax.set_xticks([])
    ax.spines[["top", "bottom", "left"]].set_visible(False)
