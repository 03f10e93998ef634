"""Every layer of one network with every layer of another as a heat map, next to it what each row is to be read by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnviz.figures.names import distinct
from cnnviz.figures.scales import Scale, print_scale
from cnnviz.figures.style import (
    MARGIN,
    bare,
    current_style,
    default_style,
    fitted,
    free_height,
    is_narrow,
    is_slide,
    page,
    place,
    points,
    room,
)
from cnnviz.figures.text import width_of

Values = Float[np.ndarray, "r c"]
NAMES, LABEL, STRIP, GAP = (
    (1.0, 1.15),
    0.17,
    0.36,
    0.07,
)  # inches: the longest names of rows and columns, axis labels, a strip, between them
BAR, TICKS = 0.1, 0.52  # inches: the color bar, its numbers with its label
ABOVE, LARGEST, LOWEST, LINE = 0.22, 0.42, 0.15, 0.11  # inches: the strips' names, a cell at most, a row, a name
NAME = 7.5  # points
ROOMY, READABLE = 1.5, 0.26  # inches: the longest names of rows where there is room, the width of a cell for its number
SLIDE, LEAST = 0.25, 1.3  # inches: a row on a slide, where lower cells leave room for larger text, and all rows
WIDE, TALL = 1.5, 2.8  # inches: a cell on a slide at most, and what rows have together though they are many


@dataclass(frozen=True)
class Plan:
    """Where everything lies, in inches of the unscaled page."""

    names: tuple[float, float]  # the room that names of rows and of columns take
    width: float
    height: float
    rows: int
    columns: int

    @property
    def left(self) -> float:
        """Where the cells begin."""
        return MARGIN + LABEL + self.names[0]

    @property
    def bottom(self) -> float:
        """Where the cells end."""
        return MARGIN + LABEL + self.names[1]

    @property
    def cell(self) -> tuple[float, float]:
        """The width and height of a cell."""
        return self.width / self.columns, self.height / self.rows


@default_style()
def layer_pairs(
    values: Values,
    rows: Sequence[str],
    columns: Sequence[str],
    strips: Mapping[str, Float[np.ndarray, " r"]],
    scale: Scale,
    *,
    marked: Bool[np.ndarray, "r c"] | None = None,
    names: tuple[str, str] = ("", ""),
    label: str = "",
    title: str = "",
) -> Figure:
    """The values with a frame around those that are `marked`, and per row the values of each of the `strips`.

    Numbers are printed where cells have room. Of many layers only every second one, or fewer, is named, which the axes
    say; `names` are what the rows and the columns are layers of. NaN is gray.
    """
    right = len(strips) * (STRIP + GAP) + GAP + BAR + TICKS
    plan = _plan(rows, columns, right, title)
    height = plan.height
    figure = page(plan.left + plan.width + right, plan.bottom + height + ABOVE, title, arranged=False)
    ax = place(figure, plan.left, plan.bottom, plan.width, height)
    _draw(ax, values, scale, plan.cell)
    for row, column in [] if marked is None else np.argwhere(marked).tolist():
        ax.add_patch(_frame(row, column, float(values[row, column]), scale, plan.cell[1]))
    _name_rows(ax, rows, plan, names[0])
    _name_columns(ax, columns, plan, names[1])
    left = plan.left + plan.width + GAP
    for name, own in strips.items():
        strip = place(figure, left, plan.bottom, STRIP, height)
        _draw(strip, own[:, None], scale, (STRIP, plan.cell[1]))
        bare(strip).set(xticks=[], yticks=[])
        strip.set_title(name, fontsize=points(6.5), pad=points(3))
        left += STRIP + GAP
    clipped = bool(scale.outside(values[np.isfinite(values)]))
    print_scale(place(figure, left, plan.bottom, BAR, height), scale, label, clipped=clipped)
    return figure


def _plan(rows: Sequence[str], columns: Sequence[str], right: float, title: str) -> Plan:
    font = current_style().font
    longest = lambda names, most: min(most, max(width_of(name, NAME, font) for name in names) + 0.06)
    free = room(6.6) - MARGIN - LABEL - right
    spare = max(NAMES[0], free - READABLE * len(columns)) if is_narrow() else ROOMY
    names = longest(rows, min(spare, ROOMY)), longest(columns, NAMES[1])
    most = WIDE if is_slide() else LARGEST
    width = min(most * len(columns), free - names[0])
    height = max(width * len(rows) / len(columns), LOWEST * len(rows))
    plan = Plan(names, width, min(height, max(LARGEST * len(rows), 0.8), 6.5), len(rows), len(columns))
    if not is_slide():
        return plan
    least = min(max(SLIDE * len(rows), LEAST), TALL)
    return replace(plan, height=max(least, min(plan.height, free_height(title) - plan.bottom - ABOVE)))


def _draw(ax: Axes, values: Values, scale: Scale, cell: tuple[float, float]) -> None:
    """The cells, and their numbers in the largest size that fits, if one does."""
    ax.imshow(values, cmap=scale.colormap, norm=scale.norm, aspect="auto")
    font = current_style().font
    digits = 3 if values.shape[1] == 1 and np.nanmax(np.abs(values)) < 0.1 else 2
    is_signed = bool(scale.low < 0 or np.nanmin(values.round(digits), initial=0) < 0)
    longest = f"{'−' * is_signed}{0:.{digits}f}"
    fits = lambda size: width_of(longest, size, font) < 0.94 * cell[0]
    size = next((size for size in (8, 7, 6.5, 6) if fits(size) and 1.2 * size / 72 < cell[1]), None)
    if size is None:
        return
    for (row, column), value in np.ndenumerate(values):
        text = f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"
        style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": points(size)}
        ax.text(column, row, text, color=_ink(float(value), scale), **style)


def _ink(value: float, scale: Scale) -> str:
    """Black on light cells, white on dark ones."""
    if not np.isfinite(value):
        return "black"
    share = (value - scale.low) / (scale.high - scale.low)
    return "white" if (share < 0.6 if scale.low >= 0 else not 0.15 < share < 0.85) else "black"


def _frame(row: int, column: int, value: float, scale: Scale, tall: float) -> Rectangle:
    width = min(1.1, 0.12 * 72 * tall)  # points; in low rows thicker frames would hide their values
    style: dict[str, Any] = {"fill": False, "edgecolor": _ink(value, scale), "linewidth": points(width)}
    return Rectangle((column - 0.42, row - 0.42), 0.84, 0.84, **style)


def _name_rows(ax: Axes, names: Sequence[str], plan: Plan, of: str) -> None:
    step = _step(plan.cell[1])
    bare(ax)
    texts = distinct(names[::step], plan.names[0] - 0.05, NAME)
    ax.set_yticks(range(0, len(names), step), texts, fontsize=points(NAME), parse_math=False)
    away, length = (plan.names[0] + LABEL) / plan.width, plan.height + plan.bottom
    style: dict[str, Any] = {"transform": ax.transAxes, "fontsize": points(NAME), "parse_math": False}
    ax.text(-away, 1, _called(of, step, length), rotation=90, ha="left", va="top", **style)


def _name_columns(ax: Axes, names: Sequence[str], plan: Plan, of: str) -> None:
    step = _step(plan.cell[0])
    texts = distinct(names[::step], plan.names[1] - 0.05, NAME)
    ax.set_xticks(range(0, len(names), step), texts, fontsize=points(NAME), rotation=90, parse_math=False)
    away, length = (plan.names[1] + LABEL) / plan.height, plan.width + plan.left
    style: dict[str, Any] = {"transform": ax.transAxes, "fontsize": points(NAME), "parse_math": False}
    ax.text(1, -away, _called(of, step, length), ha="right", va="bottom", **style)


def _called(of: str, step: int, length: float) -> str:
    """What the layers of an axis are of, and how many of them are named."""
    every = {1: "", 2: ", every 2nd named", 3: ", every 3rd named"}.get(step, f", every {step}th named")
    return fitted(f"{of}{every}", length - MARGIN, NAME)


def _step(cell: float) -> int:
    """Every how many layers one is named, for names not to touch."""
    return max(1, int(np.ceil(LINE / cell)))
