"""Confusion matrices: counts, colored by their share of the true class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from cnnviz.figures.names import distinct
from cnnviz.figures.style import (
    BLUE,
    bare,
    current_style,
    default_style,
    free_height,
    is_narrow,
    page,
    points,
    room,
)
from cnnviz.figures.text import width_of

Counts = Int[np.ndarray, "k k"]
Totals = Int[np.ndarray, " k"]
NAMED, COUNTED = 50, 20  # with more classes than this, names or counts would be illegible and are left out
BESIDE, LONGEST = 2.2, 1.6  # inches: what stands next to the matrix, and of it the longest name
BELOW = 0.9  # inches: the names below the matrix
LEAST_CELL, LEAST_SIDE = 0.33, 3.4  # inches: of a cell, and of the matrix on a slide
LEAST_FREE = 1.5  # inches: what bars at the right of the matrix take
NARROW_BESIDE, NARROW_LONGEST = 1.42, 0.75  # the same on a narrow page


def shares(counts: Counts, totals: Totals | None = None) -> Float[np.ndarray, "k k"]:
    """Each row divided by its total, by default its sum; the row of a class without examples is zero."""
    every: Any = counts.sum(axis=1) if totals is None else totals
    return counts / np.maximum(every, 1)[:, None]


@default_style()
def confusion(
    counts: Counts,
    classes: Sequence[str],
    totals: Totals | None = None,
    *,
    numbers: Sequence[int] | None = None,
    title: str = "",
) -> Figure:
    """The matrix, with one row per true class and one column per predicted class.

    `totals` are the numbers of examples of the true classes, and `numbers` those of the classes themselves, if the
    matrix leaves out others. Where they have no room, counts are left out, and names give way to numbers. On a page
    that is much wider, such as a slide, each row's share that is right stands next to it.
    """
    k = len(counts)
    side = float(np.clip(0.55 * k, 3.5, 7.0)) if k <= COUNTED else 7.0
    side = min(side, room(side + BESIDE) - (NARROW_BESIDE if is_narrow() else BESIDE))
    side = min(side, max(LEAST_CELL * min(k, COUNTED), LEAST_SIDE, free_height(title) - BELOW))
    figure = page(side + BESIDE, side + BELOW, title)
    free = room(side + BESIDE) - side - BESIDE
    ax, bars = _axes(figure, side + BESIDE, free) if free > LEAST_FREE else (figure.subplots(), None)
    parts = shares(counts, totals)
    drawn = ax.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    _print_counts(ax, counts, parts, side / k)
    _name_classes(ax, classes, range(k) if numbers is None else numbers, side / k)
    bar = figure.colorbar(drawn, ax=ax, shrink=0.8, pad=0.02)
    bar.set_label("share of the true class", fontsize=points(8 if is_narrow() else 9))
    bar.ax.tick_params(labelsize=points(7 if is_narrow() else 8))
    if bars is not None:
        _draw_recall(bars, np.diagonal(parts))
    return figure


def _axes(figure: Figure, width: float, free: float) -> tuple[Axes, Axes]:
    """The axes of the matrix, and at its right those of bars that are as high as the matrix, whatever its layout."""
    ax, bars = figure.subplots(1, 2, width_ratios=(width, free))

    def beside(_: Axes, renderer: Any) -> Bbox:
        own, its = bars.get_position(original=True), ax.get_position()
        return Bbox.from_extents(own.x0, its.y0, own.x1, its.y1)

    bars.set_axes_locator(beside)
    return ax, bars


def _draw_recall(ax: Axes, right: Float[np.ndarray, " k"]) -> None:
    """A bar for each row of the matrix: the share of the class's images that are right."""
    k = len(right)
    ax.barh(range(k), right, height=0.7, color=BLUE)
    ax.set(xlim=(0, 1), ylim=(k - 0.5, -0.5), yticks=[])
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=points(8))
    ax.set_xlabel("recall", fontsize=points(9))
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    for row, share in enumerate(right if k <= COUNTED else ()):
        inside = share > 0.5
        ax.text(share - 0.02 if inside else share + 0.02, row, f"{share:.2f}", va="center", fontsize=points(8),
                ha="right" if inside else "left", color="white" if inside else "black")  # fmt: skip


def _print_counts(ax: Axes, counts: Counts, parts: Float[np.ndarray, "k k"], cell: float) -> None:
    """The counts, in the largest size that fits cells of so many inches, if one does."""
    longest, font = f"{counts.max(initial=0)}", current_style().font
    size = next((size for size in (9, 8, 7, 6) if 1.15 * width_of(longest, size, font) < cell), None)
    if size is None or len(counts) > COUNTED:
        return
    for (row, column), share in np.ndenumerate(parts):
        color = "white" if share > 0.5 else "black" if counts[row, column] else "0.75"
        ax.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=points(size), color=color)


def _name_classes(ax: Axes, classes: Sequence[str], numbers: Sequence[int], cell: float) -> None:
    """Class names on both axes where they are legible, else the number of every tenth or hundredth class."""
    k, narrow = len(classes), is_narrow()
    bare(ax)
    ax.spines[:].set(visible=True, color="0.7")
    size = next((size for size in (9, 8, 7, 6) if 1.3 * size / 72 < cell), None)
    named = k <= NAMED and size is not None
    if named and size is not None:
        size = min(size, 7) if narrow else size
        names = distinct(classes, NARROW_LONGEST if narrow else LONGEST, size)
        turned: dict[str, Any] = (
            {"rotation": 90} if narrow else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        )
        ax.set_xticks(range(k), names, fontsize=points(size), parse_math=False, **turned)
        ax.set_yticks(range(k), names, fontsize=points(size), parse_math=False)
    else:
        step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, k) if step * cell >= 0.5 or step >= k)
        places = np.arange(0, k, step)
        own = [str(numbers[place]) for place in places.tolist()]
        ax.set_xticks(places, own, fontsize=points(8))
        ax.set_yticks(places, own, fontsize=points(8))
    size = points(8 if narrow else 9)
    ax.set_xlabel("predicted class" if named else "number of the predicted class", fontsize=size)
    ax.set_ylabel("true class" if named else "number of the true class", fontsize=size)
