"""Feature maps and kernels as grids: one `imshow` per grid, and one printed scale for all grids of a figure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnviz.figures.finite import masked
from cnnviz.figures.montage import Maps, map_columns, montage, wider_columns
from cnnviz.figures.scales import Scale, print_scale_of
from cnnviz.figures.style import (
    MARGIN,
    current_style,
    default_style,
    free_height,
    is_slide,
    page,
    place,
    points,
    room,
    size_of,
)
from cnnviz.figures.text import width_of

WIDTH, HEIGHT, LARGEST = 8.5, 6.0, 2.0  # inches: all grids of a figure together, and the largest map
AREA = (8.5, 3.5)  # inches: what a slide has for all maps
LEGIBLE = 0.55  # inches: the width of a map on a slide, at the expense of its text
WAYS = (10, 12, 20, 24)  # maps in a row, besides powers of two
FILLED, HIGH = 0.6, 1.6  # shares of a slide: what grids take of its width, and up to which height text becomes smaller
LINE = 0.12  # inches: an index of a row
LEAST = 0.2  # inches: the least width of a map, unless rows have a meaning
EMPTY = 6  # points: the word in the cell of a map that shows nothing
Indices = tuple[Sequence[int], Sequence[int]]  # of columns and rows
LEFT, BELOW, ABOVE, RIGHT = 0.45, 0.4, 0.25, 0.95  # inches: row indices, column indices, panel name, color bar


class Layout(NamedTuple):
    """The arrangement of panels: how many across and down, and the width and height of each in inches."""

    across: int
    down: int
    width: float
    height: float


def layout(panels: int, count: int, columns: int, side: tuple[int, int]) -> Layout:
    """The layout of panels of `count` maps of size (h, w): wide grids are stacked, others are side by side."""
    rows, (h, w) = math.ceil(count / columns), side
    across, down = (1, panels) if columns * w > 1.5 * rows * h else (panels, 1)
    return _arranged((across, down), count, columns, side, HEIGHT / down)


def _arranged(panels: tuple[int, int], count: int, columns: int, side: tuple[int, int], tall: float) -> Layout:
    """The layout of so many panels across and down, each at most so high."""
    (across, down), rows, (h, w) = panels, math.ceil(count / columns), side
    width = min(WIDTH, room(WIDTH + across * LEFT + RIGHT) - across * LEFT - RIGHT)
    cell = min(width / (columns * across), tall / rows * w / h, LARGEST)
    return Layout(across, down, columns * cell, rows * cell * h / w)


def _legible(panels: int, count: int, columns: int, side: tuple[int, int]) -> int:
    """As many columns, up to these, as leave maps of LEAST inches; if none do, those that make them the largest."""
    ways = sorted({columns, *(n for n in (*WAYS, *(2**k for k in range(2, 6))) if n < columns)}, reverse=True)
    cell = lambda across: layout(panels, count, across, side).width / across
    return next((across for across in ways if cell(across) >= LEAST), max(ways, key=cell))


def _on_slide(
    plan: Layout, count: int, columns: int, side: tuple[int, int], height: float, fixed: bool
) -> tuple[Layout, int]:
    """The layout and its columns that make maps the largest on a slide with this height, if the plan is far too high.

    Else, and if no other fills the slide, it is as planned: smaller text is better then than small maps. Where columns
    have a meaning, they are `fixed`.
    """
    panels = plan.across * plan.down
    if plan.down * (plan.height + BELOW + ABOVE) <= HIGH * height:
        return plan, columns
    counts = [columns] if fixed else [columns, map_columns(count), *WAYS]
    ways = [
        (_arranged((across, down), count, each, side, height / down - BELOW - ABOVE), each)
        for across, down in ((1, panels), (panels, 1))
        for each in counts
    ]
    found, best = max(ways, key=lambda way: way[0].width / way[1])
    return (found, best) if found.across * found.width > FILLED * room(WIDTH) else (plan, columns)


def _lower(plan: Layout, height: float, columns: int) -> Layout:
    """The layout on a slide: no higher than that, if maps are not too small then for smaller text to be better."""
    share = min(1.0, height / plan.height)
    is_legible = plan.width * share / columns >= LEGIBLE
    return plan._replace(width=plan.width * share, height=plan.height * share) if is_legible else plan


@default_style()
def grids(
    panels: Mapping[str, Maps],
    scale: Scale,
    *,
    title: str = "",
    label: str = "",
    columns: int | None = None,
    axes: tuple[str, str] = ("", ""),
    indices: Indices | None = None,
) -> Figure:
    """Each panel's maps as a grid under the panel's name, all on `scale`, which is printed once next to them.

    Rows are numbered by the index of their first map and columns from zero, so that a map's index is their sum.
    With `axes`, the axis labels of columns and rows, both are numbered from zero, or by `indices`. Maps [n h w 3] are
    drawn as RGB.
    """
    first = next(iter(panels.values()))
    fills = columns is None and is_slide() and not any(axes)
    if columns is None:
        columns = wider_columns(len(first), first.shape[1:3], AREA) if fills else map_columns(len(first))
    plan = layout(len(panels), len(first), columns, first.shape[1:3])
    if fills and len(panels) == 1:
        plan = _lower(plan, free_height(title) - BELOW - ABOVE * any(panels) - MARGIN, columns)
    if plan.width / columns < LEAST and not any(axes):
        columns = _legible(len(panels), len(first), columns, first.shape[1:3])
        plan = layout(len(panels), len(first), columns, first.shape[1:3])
    if is_slide() and not fills:
        free, is_fixed = free_height(title) - MARGIN, any(axes)
        plan, columns = _on_slide(plan, len(first), columns, first.shape[1:3], free, is_fixed)
    figure, places, (left, height) = panel_places(list(panels), plan, RIGHT, title)
    for ax, maps in zip(places, panels.values(), strict=True):
        draw_grid(ax, maps, scale, columns, axes, indices)
    bar = place(figure, left + 0.12, BELOW, 0.13, height)
    print_scale_of(bar, list(panels.values()), scale, label)
    return figure


def panel_places(
    names: Sequence[str], plan: Layout, right: float, title: str
) -> tuple[Figure, list[Axes], tuple[float, float]]:
    """A page with a titled place for each panel, and `right` inches beside them for the scale.

    Also where that begins, and how high the panels are together, in inches.
    """
    above = ABOVE if any(names) else 0.0
    across, down = plan.width + LEFT, plan.height + BELOW + above
    figure = page(plan.across * across + right, plan.down * down + MARGIN, title, arranged=False)
    places = []
    for i, name in enumerate(names):
        row, column = divmod(i, plan.across)
        bottom = (plan.down - 1 - row) * down + BELOW
        places.append(place(figure, column * across + LEFT, bottom, plan.width, plan.height))
        places[-1].set_title(name, fontsize=points(9), loc="left", pad=points(4), parse_math=False)
    return figure, places, (plan.across * across, plan.down * down - BELOW - above)


def draw_grid(
    ax: Axes,
    maps: Maps,
    scale: Scale,
    columns: int,
    axes: tuple[str, str] = ("", ""),
    indices: Indices | None = None,
) -> None:
    """Fills the axes by `fill_grid`, with row indices to the left and column indices below."""
    fill_grid(ax, maps, scale, columns)
    print_indices(ax, columns, math.ceil(len(maps) / columns), axes, indices)


def fill_grid(ax: Axes, maps: Maps, scale: Scale, columns: int) -> None:
    """Fills the axes with the maps as one montage.

    NaN and infinite values have the color of the gutter. A map that has nothing else, or nothing but zeros, says so.
    """
    maps = masked(maps)
    if maps.ndim == 4:
        ax.imshow(montage(scale.as_rgb(maps), columns, fill=1.0), aspect="auto")
    else:
        tiles = montage(scale.clipped(maps), columns)
        ax.imshow(tiles, cmap=scale.colormap, norm=scale.norm, aspect="auto")
    ax.set_axis_off()
    _cover_blank(ax, len(maps), columns)
    _mark_empty(ax, maps, scale, columns)


def _mark_empty(ax: Axes, maps: Maps, scale: Scale, columns: int) -> None:
    """Writes "NaN" into the cells of maps without a finite value, and "all zero" or "0" into those of zeros alone."""
    rows, sides = math.ceil(len(maps) / columns), tuple(range(1, maps.ndim))
    across, up = size_of(cast(Figure, ax.figure))
    cell = across * ax.get_position().width / columns, up * ax.get_position().height / rows
    fits = lambda word: width_of(word, EMPTY, current_style().font) < 0.9 * cell[0] and EMPTY / 72 < cell[1]
    zero = next((word for word in ("all zero", "0") if fits(word)), "")
    on_zero = "white" if scale.low >= 0 and maps.ndim == 3 else "black"
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": points(EMPTY), "transform": ax.transAxes}
    for word, color, empty in (("NaN", "black", np.isnan(maps)), (zero, on_zero, maps == 0)):
        for i in np.flatnonzero(empty.all(sides)):
            ax.text((i % columns + 0.5) / columns, 1 - (i // columns + 0.5) / rows, word, color=color, **style)


def _cover_blank(ax: Axes, count: int, columns: int) -> None:
    """Covers the empty cells after the last map in white; in the gutter's color they would look like maps."""
    rows, used = math.ceil(count / columns), count % columns
    if used:
        width, edge = 1 - used / columns, 0.01  # an image may be drawn up to a pixel beyond its axes
        style: dict[str, Any] = {"transform": ax.transAxes, "color": "white", "clip_on": False}
        ax.add_patch(Rectangle((used / columns, -edge), width + edge, 1 / rows + edge, **style))


def print_indices(ax: Axes, columns: int, rows: int, axes: tuple[str, str], indices: Indices | None = None) -> None:
    """Indices along two sides as plain text, which takes a quarter of the time of ticks."""
    across, down = indices or (range(columns), range(0, rows * columns, 1 if any(axes) else columns))
    page_width, page_height = size_of(cast(Figure, ax.figure))
    cell = page_width * ax.get_position().width / columns, page_height * ax.get_position().height / rows
    widest = max(width_of(str(label), 7, current_style().font) for label in across)
    for column in range(0, columns, max(math.ceil(columns / 32), math.ceil(1.2 * widest / cell[0]))):
        _beside(ax, ((column + 0.5) / columns, 0.0), (0.0, points(-2)), str(across[column]), va="top", ha="center")
    for row in range(0, rows, max(math.ceil(rows / 32), math.ceil(LINE / cell[1]))):
        _beside(ax, (0.0, 1 - (row + 0.5) / rows), (points(-4), 0.0), str(down[row]), va="center", ha="right")
    _beside(ax, (0.5, 0.0), (0.0, points(-13)), axes[0], va="top", ha="center")
    _beside(ax, (0.0, 0.5), (points(-18), 0.0), axes[1], va="center", ha="right", rotation=90)


def _beside(ax: Axes, place: tuple[float, float], offset: tuple[float, float], text: str, **options: Any) -> None:
    """Writes the text at `place`, in fractions of the axes, moved by an offset in points."""
    if text:
        ax.annotate(text, place, offset, "axes fraction", "offset points", fontsize=points(7), color="0.35", **options)
