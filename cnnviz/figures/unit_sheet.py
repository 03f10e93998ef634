"""A contact sheet of a layer's units: a card of each, with small pictures and a few numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnviz.figures.finite import masked
from cnnviz.figures.image import draw_image
from cnnviz.figures.scales import Scale
from cnnviz.figures.style import (
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
)

LEAST = 1.7  # inches: a card on a slide
NATURAL, ACROSS, GAP, LINE, BETWEEN = 8.6, 4, 0.14, 0.125, 0.04  # inches: the page, between cards, a line, tiles


@dataclass(frozen=True)
class Card:
    """One unit: its number, small pictures of images or, where `weights`, the first one on a scale, and lines of text.

    `mark` is what sets it apart from others, such as "dead"; `name` is written for the number, if there is one.
    """

    number: int
    tiles: Sequence[Shaped[np.ndarray, "..."]]
    lines: Sequence[str]
    weights: bool = False
    mark: str = ""
    name: str = ""


@default_style()
def unit_sheet(cards: Sequence[Card], tiles: int, scale: Scale | None = None, *, title: str = "") -> Figure:
    """The cards row by row, each with room for this many tiles; weights are on one `scale`."""
    width = room(NATURAL) - 2 * MARGIN
    across = 2 if is_narrow() else int((width + GAP) / (LEAST + GAP)) if is_slide() else ACROSS
    across = min(len(cards), across)
    own = min((width - (across - 1) * GAP) / across, (NATURAL - 2 * MARGIN) / 2)
    side = (own - (tiles - 1) * BETWEEN) / tiles if tiles else 0.0
    lines = 1 + max(len(card.lines) for card in cards)
    tall = LINE * lines + side + GAP
    height = tall * math.ceil(len(cards) / across)
    above = MARGIN * (not current_style().titled or not title)  # else the title has its own
    figure = page(NATURAL, height + MARGIN + above, title, arranged=False)
    ax = place(figure, MARGIN, MARGIN, width, height)
    for i, card in enumerate(cards):
        row, column = divmod(i, across)
        _draw_card(ax, card, column * (own + GAP), height - row * tall, side, own, scale)
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.set_aspect("auto")
    ax.set_axis_off()
    return figure


def _draw_card(ax: Axes, card: Card, left: float, top: float, side: float, width: float, scale: Scale | None) -> None:
    """The number and the mark, the tiles below them, and the lines of text below those."""
    size = 6.5 if is_narrow() else 7
    words = {"fontsize": points(size), "va": "top", "parse_math": False}
    ax.text(left, top, f"unit {card.name or card.number}", fontweight="bold", **words)
    if card.mark:
        ax.text(left + width, top, card.mark, color=VERMILLION, fontweight="bold", ha="right", **words)
    upper = top - LINE - 0.01
    for k, tile in enumerate(card.tiles):
        _draw_tile(ax, tile, (left + k * (side + BETWEEN), upper), side, scale if card.weights and k == 0 else None)
    for k, line in enumerate(card.lines):
        ax.text(left, upper - side - 0.03 - k * LINE, fitted(line, width, size), color="0.25", **words)


def _draw_tile(ax: Axes, tile: np.ndarray, corner: tuple[float, float], side: float, scale: Scale | None) -> None:
    """The picture in the middle of a square with this upper left corner; a place that saw no pixel is empty."""
    x, y = corner
    h, w = (tile.shape[:2] if tile.ndim == 3 or scale else (0.6, 1.0)) if tile.size else (1, 1)
    width, height = side * w / max(h, w), side * h / max(h, w)
    left, top = x + (side - width) / 2, y - (side - height) / 2
    extent = (left, left + width, top - height, top)
    if tile.size and scale is None:
        draw_image(ax, tile, extent)
    elif tile.size and scale is not None:
        ax.imshow(masked(tile), cmap=scale.colormap, norm=scale.norm, extent=extent)
    frame = {"fill": False, "clip_on": False, "color": "0.7", "linewidth": points(0.5)}
    ax.add_patch(Rectangle((left, top - height), width, height, **frame))
