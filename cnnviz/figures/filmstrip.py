"""Frames of a film next to each other, as one strip: maps or histograms of several steps, on one scale."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.grids import fill_grid
from cnnviz.figures.montage import Maps, map_columns
from cnnviz.figures.scales import Scale, print_scale_of
from cnnviz.figures.style import BLUE, MARGIN, default_style, free_height, is_slide, page, place, points, room, tidy
from cnnviz.figures.ticks import round_locator

LEAST, LARGEST, GAP = 0.75, 4.0, 0.06  # inches: the width of a frame at least and at most, between frames
NAME, BAR, TICKS = 0.3, 0.1, 0.5  # inches: the step above a frame, the color bar, its numbers with its label
WIDTH, HEIGHT = 8.5, 6.0  # inches: all frames, and a single one
AXIS = 0.42, 0.45  # inches: numbers left of and below histograms
RATIO = 0.75  # of a histogram


class Strip(NamedTuple):
    """How many frames are next to each other, how many rows of them there are, and a frame's width and height."""

    across: int
    down: int
    width: float
    height: float


def strip_of(count: int, ratio: float, beside: float, below: float = 0.0, title: str = "") -> Strip:
    """The arrangement of frames whose height is `ratio` times their width, with this room for scales in inches.

    On a slide frames are in as many rows as make them the largest.
    """
    free = room(WIDTH if count > 1 else LARGEST + beside + 2 * MARGIN) - 2 * MARGIN - beside
    most = min(count, max(1, int((free + GAP) / (LEAST + GAP))))
    downs = range(1, count + 1) if is_slide() else [-(-count // most)]
    return max((_in_rows(count, down, ratio, free, below, title) for down in downs), key=lambda strip: strip.width)


def _in_rows(count: int, down: int, ratio: float, free: float, below: float, title: str) -> Strip:
    """The frames in so many rows, of the greatest width that the page has room for."""
    across = -(-count // down)
    tall = min(HEIGHT, (free_height(title) - below - MARGIN) / down - NAME) if is_slide() else HEIGHT - below
    width = max(LEAST, min((free + GAP) / across - GAP, LARGEST, tall / ratio))
    return Strip(across, down, width, width * ratio)


@default_style()
def filmstrip(
    frames: Mapping[str, Maps], scale: Scale, *, columns: int | None = None, title: str = "", label: str = ""
) -> Figure:
    """Each frame's maps as a grid under the frame's name, on one scale, which is printed once; NaN is gray."""
    first = next(iter(frames.values()))
    columns = columns or map_columns(len(first))
    ratio = -(-len(first) // columns) * first.shape[1] / (columns * first.shape[2])
    strip = strip_of(len(frames), ratio, BAR + TICKS + GAP, title=title)
    draw = lambda ax, maps: fill_grid(ax, maps, scale, columns)
    figure, right, height = _framed(strip, list(frames), [*frames.values()], draw, title, BAR + TICKS + GAP)
    print_scale_of(place(figure, right + GAP, MARGIN, BAR, height), list(frames.values()), scale, label)
    return figure


@default_style()
def histogram_strip(
    frames: Mapping[str, Float[np.ndarray, " bins"]],
    edges: Float[np.ndarray, " edges"],
    highest: float,
    *,
    title: str = "",
    label: str = "",
) -> Figure:
    """Each frame's histogram, all with the same bins and up to the same height."""
    many = len(frames) > 1
    strip = strip_of(len(frames), RATIO, AXIS[0], AXIS[1], title)
    height = max(strip.height, 0.9) if many else strip.height
    free = (room(0) - 2 * MARGIN - AXIS[0] + GAP) / strip.across - GAP
    strip = strip._replace(height=height, width=max(strip.width, min(free, LARGEST)) if is_slide() else strip.width)
    figure, _, _ = _framed(strip, list(frames), [*frames.values()], lambda ax, own: None, title, 0.0, AXIS)
    for place_, (ax, density) in enumerate(zip(figure.axes, frames.values(), strict=True)):
        tidy(ax).stairs(density, edges, fill=True, facecolor=BLUE, alpha=0.7)
        ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.05 * highest))
        ax.tick_params(labelsize=points(7), length=points(2))
        ticks = round_locator(2 if many else 5).tick_values(edges[0], edges[-1])
        ticks = ticks[(ticks >= edges[0]) & (ticks <= edges[-1])]
        ax.set_xticks([ticks[0], ticks[-1]] if many and len(ticks) > 2 else ticks)
        is_first = place_ % strip.across == 0
        is_labelled = is_first and place_ + strip.across >= len(frames)  # labels of neighbors would touch
        ax.tick_params(labelleft=is_first, labelbottom=is_labelled)
    figure.axes[0].set_ylabel("density", fontsize=points(7.5))
    figure.axes[-1].set_xlabel(label, fontsize=points(7.5), loc="right")
    return figure


def _framed(
    strip: Strip,
    names: Sequence[str],
    contents: Sequence[np.ndarray],
    draw: Callable[[Axes, np.ndarray], None],
    title: str,
    beside: float,
    axis: tuple[float, float] = (0.0, 0.0),
) -> tuple[Figure, float, float]:
    """A page with a frame for each of the contents, where they end on the right, and how high they are together."""
    step = strip.height + NAME
    height = strip.down * step + axis[1] + MARGIN
    right = MARGIN + axis[0] + strip.across * (strip.width + GAP) - GAP
    figure = page(right + beside + MARGIN, height, title, arranged=False)
    for i, (name, content) in enumerate(zip(names, contents, strict=True)):
        row, column = divmod(i, strip.across)
        left = MARGIN + axis[0] + column * (strip.width + GAP)
        ax = place(figure, left, MARGIN + axis[1] + (strip.down - 1 - row) * step, strip.width, strip.height)
        draw(ax, content)
        ax.set_title(name, fontsize=points(7 if len(names) > 1 else 9), pad=points(2.5), linespacing=1.0)
    return figure, right, strip.down * step - NAME
