"""The page that every figure is drawn on: its title, its caption, its colors."""

import textwrap
from typing import cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito's colors, told apart by most who see few; nothing is said by color alone.
BLUE, VERMILLION, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#6E6E6E"
GUTTER = "#9A9A9A"  # between maps: neither white, a diverging map's zero, nor the dark of a sequential one's

NARROWEST = 6.0  # inches: titles and captions wrap to the page
MARGIN = 0.08  # inches
CAPTION_LINE = 0.165  # inches
TITLE_LINE = 0.21  # inches


def page(width: float, height: float, title: str = "") -> Figure:
    """An empty figure with room for axes of width x height inches under its title; axes arrange themselves."""
    width = max(width, NARROWEST)
    lines = textwrap.wrap(title, int(width * 11.5))
    height += TITLE_LINE * len(lines) + MARGIN
    figure = Figure(figsize=(width, height), layout="constrained")
    if lines:
        text = "\n".join(lines)
        figure.suptitle(text, x=MARGIN / width, ha="left", fontsize=11, fontweight="bold", parse_math=False)
    return figure


def add_caption(figure: Figure, caption: str) -> None:
    """Writes the caption under what is drawn, on a page made longer for it."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(caption, int(width * 14.5))
    if not lines:
        return
    footer = CAPTION_LINE * len(lines) + 2 * MARGIN
    share = footer / (height + footer)
    figure.set_size_inches(width, height + footer)
    cast(ConstrainedLayoutEngine, figure.get_layout_engine()).set(rect=(0, share, 1, 1 - share))
    place = MARGIN / width, MARGIN / (height + footer)
    figure.text(*place, "\n".join(lines), va="bottom", fontsize=9, color="0.25", linespacing=1.25, parse_math=False)


def tidy(ax: Axes) -> Axes:
    """The axes of a chart without its box: two spines and a faint horizontal grid under what is drawn."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def bare(ax: Axes) -> Axes:
    """The axes of a picture: tick labels without tick marks, and no box."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=7, labelcolor="0.35", pad=2)
    return ax


def shortened(text: str, length: int) -> str:
    """The text, its end replaced by an ellipsis where it is longer than `length` characters."""
    return text if len(text) <= length else text[: max(length - 1, 1)].rstrip() + "…"
