"""One unit on one page: its weights, what it responds to, what goes wrong without it, and its neighbors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.finite import finite, masked
from cnnviz.figures.image import draw_image
from cnnviz.figures.names import distinct
from cnnviz.figures.scales import Scale, in_digits, print_scale
from cnnviz.figures.style import (
    BLUE,
    MARGIN,
    VERMILLION,
    current_style,
    default_style,
    fitted,
    is_narrow,
    is_slide,
    page,
    place,
    points,
    room,
    tidy,
)
from cnnviz.figures.text import width_of

NATURAL, PANEL, ROW, HEAD = 8.6, 1.75, 0.155, 0.3  # inches: the page, a panel's height, a bar, a panel's title
FOOT, GAP, TILE = 0.34, 0.3, 0.72  # inches: below a panel, between panels, the width of a tile
OPAQUE = 0.85


@dataclass(frozen=True)
class Histogram:
    """Values as a histogram, with what they are."""

    title: str
    values: Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Bars:
    """One bar per name, from zero."""

    title: str
    names: Sequence[str]
    values: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Map:
    """A map over its image, on a scale; `extent` is that of the image."""

    title: str
    image: Shaped[np.ndarray, "h w c"]
    values: Float[np.ndarray, "y x"]
    scale: Scale


@dataclass(frozen=True)
class Strip:
    """Small pictures side by side, each with lines of text below: images, or weights on one scale."""

    title: str
    tiles: Sequence[Shaped[np.ndarray, "..."]]
    labels: Sequence[str]
    scale: Scale | None = None


Panel = Histogram | Bars | Map


@dataclass(frozen=True)
class UnitPage:
    """What the page has: panels, two or three across, and strips below them."""

    panels: Sequence[Panel]
    strips: Sequence[Strip] = field(default_factory=tuple)


@default_style()
def unit_page(shown: UnitPage, *, title: str = "") -> Figure:
    """The panels of the page and its strips; on a narrow page two panels are next to each other."""
    width = room(NATURAL)
    across = min(2 if is_narrow() else 3, max(1, len(shown.panels)))
    rows = [shown.panels[i : i + across] for i in range(0, len(shown.panels), across)]
    heights = [HEAD + max(map(_height, row)) + FOOT for row in rows]
    plans = [_planned(strip, width) for strip in shown.strips]
    total = sum(heights) + sum(plan[2] for plan in plans)
    figure = page(NATURAL, total, title, arranged=False)
    top = total
    for row, height in zip(rows, heights, strict=True):
        _draw_row(figure, row, across, top, height)
        top -= height
    for strip, plan in zip(shown.strips, plans, strict=True):
        _draw_strip(figure, strip, plan, top)
        top -= plan[2]
    return figure


def _height(panel: Panel) -> float:
    return max(PANEL, ROW * len(panel.names)) if isinstance(panel, Bars) else PANEL


def _draw_row(figure: Figure, row: Sequence[Panel], across: int, top: float, height: float) -> None:
    width = (room(NATURAL) - 2 * MARGIN - (across - 1) * GAP) / across
    for k, panel in enumerate(row):
        own = height - HEAD - FOOT if isinstance(panel, Bars) else PANEL
        left = MARGIN + k * (width + GAP)
        bottom = top - HEAD - own
        if isinstance(panel, Map):
            _draw_map(figure, panel, left, bottom, width, own)
        elif isinstance(panel, Bars):
            longest = max(width_of(name, 7.5, current_style().font) for name in panel.names)
            names = min(max(0.42 * width, longest + 0.15), 0.52 * width)
            ax = place(figure, left + names, bottom, width - names - 0.1, own)
            _draw_bars(ax, panel, names - 0.08)
            _title(ax, panel.title, width, -names)
        else:
            ax = tidy(place(figure, left + 0.35, bottom, width - 0.4, own))
            _draw_histogram(ax, panel)
            _title(ax, panel.title, width, -0.35)


def _title(ax: Axes, text: str, width: float, shift: float) -> None:
    sizes, font = (6.5,) if is_narrow() else (8.5, 7.5, 6.5), current_style().font
    size = next((size for size in sizes if width_of(text, size, font, "bold") <= width), sizes[-1])
    offset = (points(72 * shift), points(5))
    text = fitted(text, 0.86 * width, size)  # which measures letters that are not bold
    ax.annotate(text, (0, 1), offset, "axes fraction", "offset points", fontsize=points(size), fontweight="bold")


def _draw_histogram(ax: Axes, panel: Histogram) -> None:
    values = finite(panel.values).astype(np.float64)
    counts, edges = np.histogram(values, 30)
    ax.stairs(counts, edges, fill=True, facecolor=BLUE, alpha=0.6)
    if counts.max() > min(20 * max(1, np.sort(counts)[-2]), 100 * np.median(counts[counts > 0])):
        # zeros of a ReLU would hide all others
        ax.set_yscale("symlog", linthresh=1)
        ticks = [0, *(10**i for i in range(0, 9, 2) if 10**i <= counts.max())]
        ax.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.minorticks_off()
        where = {"transform": ax.transAxes, "ha": "right", "va": "top"}
        ax.text(1, 1, "logarithmic counts", fontsize=points(6.5), color="0.35", **where)
    else:
        ax.locator_params(axis="y", nbins=4)
    ax.locator_params(axis="x", nbins=2 if is_narrow() else 4)
    ax.tick_params(labelsize=points(6.5))


def _draw_bars(ax: Axes, panel: Bars, width: float) -> None:
    values = np.where(np.isfinite(panel.values), panel.values, 0)
    places = np.arange(len(values))
    ax.barh(places, values, 0.72, color=np.where(values < 0, VERMILLION, BLUE))
    size = 6.5 if is_narrow() else 7.5
    ax.set_yticks(places, distinct(panel.names, width, size), fontsize=points(size), parse_math=False)
    ax.set_ylim(len(values) - 0.4, -0.6)
    if not values.any():  # the axis would end at a number near zero, as if there were bars
        ax.set_xlim(-1, 1)
        ax.text(0.55, 0.5, "all zero", transform=ax.transAxes, fontsize=points(7), va="center")
    ax.axvline(0, color="0.3", linewidth=points(0.8))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.locator_params(axis="x", nbins=2 if is_narrow() else 3)
    ax.tick_params(axis="x", labelsize=points(6.5))
    ax.tick_params(axis="y", length=0)


def _draw_map(figure: Figure, panel: Map, left: float, bottom: float, width: float, height: float) -> None:
    """The image under the map, with its scale, and where there is room the image alone before it."""
    h, w = panel.image.shape[:2]
    count = 1 if is_narrow() else 2
    side = min((width - 0.45 - 0.1 * count) / count, height * w / h)
    tall = side * h / w
    axes = [place(figure, left + i * (side + 0.1), bottom + height - tall, side, tall) for i in range(count)]
    if count == 2:
        draw_image(axes[0], panel.image)
        _frame(axes[0])
    ax = axes[-1]
    _title(axes[0], panel.title, width, 0.0)
    gray = panel.image.mean(-1) if panel.image.shape[-1] == 3 else 255.0 - panel.image[..., 0]
    extent = (0.0, 1.0, 0.0, 1.0)
    ax.imshow(gray, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
    values = panel.scale.clipped(masked(panel.values))
    alpha = np.nan_to_num(np.clip(np.abs(values) / panel.scale.high, 0, 1)) ** 0.5 * OPAQUE
    style = {"cmap": panel.scale.colormap, "norm": panel.scale.norm}
    ax.imshow(values, extent=extent, alpha=alpha, aspect="auto", **style)
    _frame(ax)
    bar = place(figure, left + count * (side + 0.1) - 0.02, bottom + height - tall, 0.09, tall)
    print_scale(bar, panel.scale, "", clipped=panel.scale.outside(panel.values) > 0)
    bar.tick_params(labelsize=points(6.5))


def _frame(ax: Axes) -> None:
    ax.set_axis_on()
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set(color="0.7", linewidth=points(0.6))


def _planned(strip: Strip, width: float) -> tuple[int, float, float]:
    """How many tiles are next to each other, their pitch, and the height of the strip in inches."""
    columns = min(99 if is_slide() else 9, max(1, int((width - 2 * MARGIN) / (TILE + 0.1))))
    columns = math.ceil(len(strip.tiles) / math.ceil(len(strip.tiles) / columns))
    pitch = min(1.4, (width - 2 * MARGIN) / columns)
    rows = math.ceil(len(strip.tiles) / columns)
    lines = max(label.count("\n") + 1 for label in strip.labels)
    return columns, pitch, HEAD + rows * (TILE + 0.125 * lines + 0.1) + 0.02


def _draw_strip(figure: Figure, strip: Strip, plan: tuple[int, float, float], top: float) -> None:
    columns, pitch, _ = plan
    lines = max(label.count("\n") + 1 for label in strip.labels)
    step = TILE + 0.125 * lines + 0.1
    for i, (tile, label) in enumerate(zip(strip.tiles, strip.labels, strict=True)):
        row, column = divmod(i, columns)
        left, upper = MARGIN + column * pitch, top - HEAD - row * step
        h, w = tile.shape[:2]
        width, height = TILE * w / max(h, w), TILE * h / max(h, w)
        ax = place(figure, left, upper - height, width, height)
        if strip.scale is None:
            draw_image(ax, tile)
        else:
            ax.imshow(masked(tile), cmap=strip.scale.colormap, norm=strip.scale.norm, aspect="auto")
        _frame(ax)
        text = "\n".join(fitted(line, pitch - 0.05, 6.5) for line in label.split("\n"))
        ax.annotate(
            text,
            (0, 0),
            (0, points(-2)),
            "axes fraction",
            "offset points",
            fontsize=points(6.5),
            va="top",
            linespacing=1.15,
            parse_math=False,
        )
        if i == 0:
            ends = (
                f"; weights from {in_digits(strip.scale.low)} to {in_digits(strip.scale.high)}" if strip.scale else ""
            )
            _title(ax, strip.title + ends, room(NATURAL) - 2 * MARGIN, 0.0)
