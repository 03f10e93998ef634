"""Attribution maps: one row per image, one column per method, each map on its own scale or a column on one.

Of signals, a map is the background of the signal's curve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.attribution_plan import BAR, FOOT, GAP, LINE, TITLE, Plan, Words, name_size, named, plan_of, titled
from cnnviz.figures.finite import masked
from cnnviz.figures.image import draw_image, draw_signal
from cnnviz.figures.scales import Scale, in_digits, print_scale
from cnnviz.figures.style import MARGIN, current_style, default_style, fitted, folded, page, place, points, size_of
from cnnviz.figures.text import width_of

OPAQUE = 0.85  # the most that an overlay hides of the image


class Column(NamedTuple):
    """The maps of one method with a scale for each, or one for all; `notes` has lines of text per map, or is empty."""

    maps: Float[np.ndarray, "n *sides"]
    scales: Sequence[Scale]
    notes: Sequence[str] = ()

    @property
    def is_shared(self) -> bool:
        """Whether all maps are on one scale."""
        return len(self.scales) == 1

    def scale(self, i: int) -> Scale:
        """The scale of a map."""
        return self.scales[0 if self.is_shared else i]

    @property
    def outside(self) -> int:
        """The number of values that are clipped to the ends of their scales."""
        return sum(self.scale(i).outside(values) for i, values in enumerate(self.maps))

    def of(self, rows: slice) -> "Column":
        """The column of these images alone."""
        scales = self.scales if self.is_shared else self.scales[rows]
        return Column(self.maps[rows], scales, self.notes[rows])

    def note(self, i: int) -> list[str]:
        """The lines under a map: the end of its scale, unless all maps share it, and its note."""
        own = [] if self.is_shared or is_blank(self.maps[i]) else [end_of(self.scale(i))]
        return own + (self.notes[i].split("\n") if self.notes else [])


def end_of(scale: Scale) -> str:
    """The ends of a scale as text: ±0.5, or 0 to 0.5."""
    return f"±{in_digits(scale.high)}" if scale.low < 0 else f"0 to {in_digits(scale.high)}"


def is_blank(values: Float[np.ndarray, "..."]) -> bool:
    """Whether a map shows nothing: all its values are zero or NaN."""
    return not values.any() or bool(np.isnan(values).all())


@default_style()
def attributions(
    images: Shaped[np.ndarray, "n *sides c"],
    rows: Sequence[str],
    columns: Mapping[str, Column],
    *,
    overlay: bool = False,
    together: int = 1,
    title: str = "",
) -> Figure:
    """One row per image: its title (of one or more lines), the image, and the map of each method.

    Images are uint8 pictures `[n h w c]` or signals `[n t c]`. Each column has its name above, in up to five lines,
    and its color bar below; a map has the end of its own scale under it. An `overlay` shows the image behind each map.
    Where rows go into groups next to each other, so many of them stay `together`.
    """
    notes = [column.note(i) for column in columns.values() for i in range(len(images))]
    plan = plan_of(images, Words(rows, list(columns), notes), together, title)
    items = list(columns.items())
    blocks = [dict(items[i : i + plan.columns]) for i in range(0, len(items), plan.columns)]
    figure = page(plan.width, len(blocks) * plan.height, title, arranged=False)
    for i, block in enumerate(blocks):
        for k in range(-(-len(images) // plan.rows)):
            part = slice(k * plan.rows, (k + 1) * plan.rows)
            own = {name: column.of(part) for name, column in block.items()}
            moved = replace(plan, shift=k * plan.period)
            _draw_block(figure, moved, (len(blocks) - i) * plan.height, images[part], rows[part], own, overlay)
    return figure


def _draw_block(
    figure: Figure,
    plan: Plan,
    top: float,
    images: Shaped[np.ndarray, "n *sides c"],
    rows: Sequence[str],
    columns: Mapping[str, Column],
    overlay: bool,
) -> None:
    """The images and some columns of maps, the top of their headings at `top` inches."""
    first, foot = top - plan.head - plan.above, top - plan.height + FOOT
    plan = replace(plan, rows=len(images), left=plan.left + plan.shift)
    _write_rows(figure, rows, plan, first)
    ax = _column(figure, plan, plan.left, first, "image")
    for i, pixels in enumerate(images):
        draw_image(ax, pixels, plan.extent(i))
    _frame(ax, plan)
    for k, (name, column) in enumerate(columns.items(), 1):
        left = plan.left + k * plan.pitch
        ax = _column(figure, plan, left, first, name)
        _draw_maps(ax, column, plan, images if overlay and images.ndim == 4 else None)
        for i, signal in enumerate(images if images.ndim == 3 else ()):
            draw_signal(ax, signal, plan.extent(i))
        _frame(ax, plan)
        _print_scale(place(figure, left, foot, plan.bar, BAR), column)


def _column(figure: Figure, plan: Plan, left: float, top: float, name: str) -> Axes:
    """Axes that hold the cells of a column under its name; `left` and `top` are in inches."""
    height = (plan.rows - 1) * plan.step + plan.cell[0]
    ax = place(figure, left, top - height, plan.cell[1], height)
    pad, size = points(3 + 72 * plan.above), points(name_size(plan.pitch))
    lines = named(name, plan.pitch)
    ax.set_title("\n".join(lines), fontsize=size, loc="left", pad=pad, linespacing=1.1, parse_math=False)
    return ax


def _draw_maps(ax: Axes, column: Column, plan: Plan, images: Shaped[np.ndarray, "n h w c"] | None) -> None:
    for i, values in enumerate(column.maps):
        scale, extent = column.scale(i), plan.extent(i)
        left, right, bottom, top = extent
        values = scale.clipped(masked(values if values.ndim == 2 else values[None]))
        alpha = None
        if images is not None:
            _draw_gray(ax, images[i], extent)
            alpha = np.nan_to_num(np.clip(np.abs(values) / scale.high, 0, 1)) ** 0.5 * OPAQUE
        ax.imshow(values, cmap=scale.colormap, norm=scale.norm, extent=extent, alpha=alpha)
        if is_blank(values):
            color = "0.2" if scale.low < 0 or np.isnan(values).any() or images is not None else "white"
            word = "NaN" if np.isnan(values).all() else "all zero"
            at = (left + right) / 2, (bottom + top) / 2
            ax.text(*at, word, fontsize=points(7), ha="center", va="center", color=color)
        elif missing := int(np.isnan(values).sum()):
            at, box = (0.03, bottom - 0.03), {"facecolor": "white", "edgecolor": "none", "pad": points(0.8)}
            ax.text(*at, f"{missing:,} NaN", fontsize=points(6), va="bottom", color="0.2", bbox=box)
        for j, note in enumerate(column.note(i)):
            y = bottom + 0.02 + j * LINE
            text = fitted(note, plan.pitch - GAP, 7)
            ax.text(0, y, text, fontsize=points(7), va="top", color="0.35", parse_math=False)
    ax.set_axis_off()


def _draw_gray(ax: Axes, pixels: Shaped[np.ndarray, "h w c"], extent: tuple[float, float, float, float]) -> None:
    """The image in gray, so that the colors are the map's."""
    gray = pixels.mean(-1) if pixels.shape[-1] == 3 else 255.0 - pixels[..., 0]
    ax.imshow(gray, cmap="gray", vmin=0, vmax=255, extent=extent)


def _frame(ax: Axes, plan: Plan) -> None:
    """Sets the axes' limits and draws a thin frame around each cell, as a white cell has no visible edge."""
    cell, width = plan.cell
    ax.set_xlim(0, width)
    ax.set_ylim((plan.rows - 1) * plan.step + cell, 0)
    ax.set_aspect("auto")
    for i in range(plan.rows):
        y = i * plan.step
        corners = [0, width, width, 0, 0], [y, y, y + cell, y + cell, y]
        ax.plot(*corners, color="0.8", linewidth=points(0.6), clip_on=False)


def _write_rows(figure: Figure, rows: Sequence[str], plan: Plan, first: float) -> None:
    """Each row's title, in lines: next to its cells, or above them."""
    across, up = size_of(figure)
    for i, words in enumerate(rows):
        top = first - i * plan.step
        if plan.above:
            at = (plan.shift + MARGIN) / across, (top + 0.02) / up
            text = "\n".join(titled(words, plan))
            figure.text(*at, text, va="bottom", fontsize=points(7), linespacing=1.1, parse_math=False)
        else:
            at = (plan.shift + MARGIN) / across, (top - 0.02) / up
            width = plan.left - plan.shift - 2 * MARGIN + 1e-6  # the longest title is as wide
            lines = [part for line in words.split("\n") for part in folded(line, width, TITLE)]
            figure.text(*at, "\n".join(lines), va="top", fontsize=points(TITLE), linespacing=1.25, parse_math=False)


def _print_scale(ax: Axes, column: Column) -> None:
    """The color bar under a column: its shared scale, or what the ends of each map's own scale are called.

    A shared one has pointed ends if values of its maps are clipped.
    """
    scale = column.scales[0]
    clipped = column.is_shared and scale.outside(column.maps) > 0
    ends = [] if column.is_shared else ["−max" if scale.low < 0 else "0", "max"]
    font, width = current_style().font, size_of(cast(Figure, ax.figure))[0] * ax.get_position().width
    if not ends and scale.low < 0 and width_of(f"−{in_digits(scale.high)}    {in_digits(scale.high)}", 7, font) > width:
        ends = ["", end_of(scale)]
    print_scale(ax, scale, "", clipped=clipped, horizontal=True, ends=ends)
    ax.tick_params(labelsize=points(7), length=points(2), pad=points(1))
