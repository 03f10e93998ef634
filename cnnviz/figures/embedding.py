"""Images as points of a plane, colored by class, with the images at the ends of both axes as thumbnails."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.image import draw_image
from cnnviz.figures.looks import look_of
from cnnviz.figures.names import distinct
from cnnviz.figures.style import (
    GRAY,
    default_style,
    free_height,
    is_narrow,
    is_slide,
    page,
    place,
    points,
    room,
    tidy,
)
from cnnviz.figures.ticks import round_locator

MOST_CLASSES = 35  # that have a color and a mark of their own
SIDE, LEFT, BOTTOM, KEY, ROW = 4.6, 1.1, 0.95, 1.75, 0.2  # inches: the plane, what is beside and below it
LEAST = 2.8  # inches: the height of the plane on a slide
THUMB, GAP = 0.46, 0.05
MOST_POINTS = 4000  # with more, points are smaller


class Cloud(NamedTuple):
    """Points `[n 2]` of images `[n ...]`, their classes `[n]`, and the names of the classes."""

    points: Float[np.ndarray, "n 2"]
    images: Shaped[np.ndarray, "n *sides c"]
    labels: Int[np.ndarray, " n"]
    names: Sequence[str]


@default_style()
def embedding(cloud: Cloud, axes: tuple[str, str], *, title: str = "") -> Figure:
    """The points over both axes, of equal scale, and a thumbnail of the images with the least and largest values.

    The legend is beside the plane, or on a narrow page below it.
    """
    shown = most_frequent(cloud.labels)
    narrow = is_narrow()
    columns = 2 if narrow else 1
    most = room(LEFT + SIDE + KEY) - LEFT - (0.1 if narrow else KEY)
    side = min(SIDE, most, max(LEAST, free_height(title) - BOTTOM))
    wide = most if is_slide() else side  # a slide is filled
    key = ROW * -(-len(shown) // columns) + 0.1 if narrow else 0.0
    height = max(side + BOTTOM + key, 0.0 if narrow else ROW * len(shown) + 0.3)
    figure = page(LEFT + wide + (0.1 if narrow else KEY), height, title, arranged=False)
    low = height - side
    ax = tidy(place(figure, LEFT, low, wide, side - 0.05))
    _scatter(ax, cloud, shown)
    _labeled(ax, axes)
    _thumbnails(figure, cloud, (LEFT, low), (wide, side))
    at = (LEFT - 0.5, 0.0, side + 0.4, key) if narrow else (LEFT + wide + 0.08, 0.0, KEY - 0.1, height - 0.05)
    _legend(place(figure, *at), ax, columns, at[2])
    return figure


def most_frequent(labels: Int[np.ndarray, " n"]) -> list[int]:
    """The classes of the points in order, at most 35: those with the most points."""
    numbers, counts = np.unique(labels, return_counts=True)
    return sorted(numbers[np.argsort(-counts, kind="stable")[:MOST_CLASSES]].tolist())


def ends(values: Float[np.ndarray, " n"], count: int) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """The places of the `count` least values, the least first, and of the largest, the largest last."""
    order = np.argsort(values, kind="stable")
    count = min(count, len(order) // 2)
    return order[:count], order[len(order) - count :]


def _scatter(ax: Axes, cloud: Cloud, shown: Sequence[int]) -> None:
    size = points(3.2 if len(cloud.points) < 500 else 2.2 if len(cloud.points) <= MOST_POINTS else 1.4)
    draw = lambda own, **look: ax.plot(
        *cloud.points[own].T, linestyle="none", markersize=size, mew=0, alpha=0.65, **look
    )
    rest = ~np.isin(cloud.labels, shown)
    if rest.any():
        draw(rest, marker=".", color=GRAY, label=f"{len(np.unique(cloud.labels[rest]))} other classes")
    for i, k in enumerate(shown):
        label = cloud.names[k] if k < len(cloud.names) else f"class {k}"
        draw(cloud.labels == k, label=label, **look_of(i, "color", "marker"))


def _labeled(ax: Axes, axes: tuple[str, str]) -> None:
    size = points(7.5 if is_narrow() else 8.5)
    ax.set_aspect("equal", adjustable="datalim")
    ax.grid(axis="x", color="0.9", linewidth=points(0.8))
    ax.ticklabel_format(scilimits=(-2, 4))  # longer numbers would push the axis's name onto the thumbnails
    for axis, label in ((ax.xaxis, axes[0]), (ax.yaxis, axes[1])):
        axis.set_major_locator(round_locator(5))
        axis.set_tick_params(labelsize=points(6.5 if is_narrow() else 7.5))
        axis.set_label_text(label, fontsize=size)
        axis.get_offset_text().set_fontsize(points(6.5 if is_narrow() else 7.5))


def _thumbnails(figure: Figure, cloud: Cloud, corner: tuple[float, float], sides: tuple[float, float]) -> None:
    """Along each axis the images with its least and its largest values, below and left of what is written there."""
    left, low = corner
    most = 2 if is_narrow() else 3
    step = THUMB + GAP
    for axis, side in enumerate(sides):
        there = int((side + GAP) / step) // 2  # at each end
        first, last = ends(cloud.points[:, axis], there - 1 if side > SIDE else min(most, there))
        for i, (least, largest) in enumerate(zip(first, last[::-1], strict=True)):
            near, far = i * step, side - THUMB - i * step
            for image, along in ((least, near), (largest, far)):
                at = (left + along, low - 0.92) if axis == 0 else (0.0, low + along)
                _thumbnail(place(figure, *at, THUMB, THUMB), cloud.images[image])


def _thumbnail(ax: Axes, pixels: Shaped[np.ndarray, "*sides c"]) -> None:
    draw_image(ax, pixels[len(pixels) // 2] if pixels.ndim == 4 else pixels)
    ax.set_axis_on()
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color="0.8", linewidth=points(0.5))


def _legend(ax: Axes, of: Axes, columns: int, width: float) -> None:
    """The classes with their marks, on axes of their own."""
    ax.set_axis_off()
    handles, texts = of.get_legend_handles_labels()
    size = 7 if is_narrow() else 8
    texts = distinct(texts, width / columns - 0.35, size)
    look: dict[str, Any] = {"markerscale": 1.8, "handletextpad": 0.2, "labelspacing": 0.35, "borderaxespad": 0}
    legend = ax.legend(handles, texts, loc="upper left", ncols=columns, frameon=False, fontsize=points(size), **look)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
