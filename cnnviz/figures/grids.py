"""Feature maps and kernels as grids: one `imshow` a grid, one scale for all grids of a figure, the scale printed."""

import math
from collections.abc import Mapping

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.montage import Maps, enlargement, map_columns, montage
from cnnviz.figures.scales import Scale, print_scale
from cnnviz.figures.style import bare, page

WIDTH, HEIGHT, LARGEST = 8.5, 6.0, 2.0  # inches: all grids of a figure together, and the largest cell


def grids(
    panels: Mapping[str, Maps],
    scale: Scale,
    *,
    title: str = "",
    label: str = "",
    columns: int | None = None,
    axes: tuple[str, str] = ("", ""),
) -> Figure:
    """Each panel's maps as a grid under the panel's name, all on `scale`; wide grids lie one over the other.

    Rows are numbered by their first map and columns from zero, so that their sum is a map's index; with `axes`, the
    names of what columns and rows count, both are numbered from zero. Maps with a last axis of three are drawn as RGB.
    """
    first = next(iter(panels.values()))
    columns = columns or map_columns(len(first))
    across, down = _arrangement(len(panels), math.ceil(len(first) / columns), columns)
    width, height = _cell(first, columns * across, math.ceil(len(first) / columns) * down)
    rows = math.ceil(len(first) / columns)
    size = across * (columns * width + 0.35) + 0.7, down * (rows * height + 0.45)
    figure = page(*size, title)
    for ax, (name, maps) in zip(figure.subplots(down, across, squeeze=False).flat, panels.items(), strict=True):
        draw_grid(ax, maps, scale, columns, counted=any(axes))
        ax.set_title(name, fontsize=9, loc="left", parse_math=False)
        ax.set_xlabel(axes[0], fontsize=8)
        ax.set_ylabel(axes[1], fontsize=8)
    beyond = any(scale.outside(maps) for maps in panels.values())
    ends = ("both" if scale.low < 0 else "max") if beyond else "neither"
    gray = matplotlib.colormaps["gray"] if first.ndim == 4 else None
    for ax in figure.axes[across - 1 :: across]:
        print_scale(ax, scale, label, colormap=gray, extend=ends)
    return figure


def draw_grid(ax: Axes, maps: Maps, scale: Scale, columns: int, *, counted: bool = False) -> None:
    """The maps as one montage on the axes, with the indices of the first row and column as tick labels."""
    if maps.ndim == 4:
        ax.imshow(montage(_as_rgb(maps, scale), columns, fill=1.0), interpolation="none")
    else:
        ax.imshow(montage(maps, columns), cmap=scale.colormap, norm=scale.norm, interpolation="none")
    rows = math.ceil(len(maps) / columns)
    factor = enlargement(maps)
    height, width = maps.shape[1] * factor + 1, maps.shape[2] * factor + 1
    every = math.ceil(columns / 32)
    across, down = np.arange(0, columns, every), np.arange(rows)
    ax.set_xticks(across * width + width / 2, across)
    ax.set_yticks(down * height + height / 2, down if counted else down * columns)
    bare(ax)


def _as_rgb(maps: Float[np.ndarray, "n h w rgb"], scale: Scale) -> Float[np.ndarray, "n h w rgb"]:
    """The three inputs as red, green and blue on the scale: zero is gray."""
    return np.clip((maps - scale.low) / (scale.high - scale.low), 0, 1)


def _arrangement(panels: int, rows: int, columns: int) -> tuple[int, int]:
    """How many panels lie across and how many down: square ones side by side, wide ones one over the other."""
    return (1, panels) if columns > 1.5 * rows else (panels, 1)


def _cell(maps: Maps, columns: int, rows: int) -> tuple[float, float]:
    """Width and height in inches of one map, in its own proportions."""
    h, w = maps.shape[1:3]
    width = min(WIDTH / columns, HEIGHT / rows * w / h, LARGEST)
    return width, width * h / w
