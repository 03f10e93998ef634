"""The style of every figure: its page, title, caption and colors."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito's palette, distinguishable with color blindness; color is never the only distinction.
BLUE, VERMILLION, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#6E6E6E"
GUTTER = "#9A9A9A"  # between maps: neither white, a diverging map's zero, nor the dark of a sequential one's

NARROWEST = 6.0  # inches: titles and captions wrap to the page
MARGIN = 0.08  # inches
CAPTION_LINE = 0.165  # inches
TITLE_LINE = 0.21  # inches
MOST_TITLE, MOST_CAPTION = 5, 20  # lines; what is longer ends in an ellipsis


@contextmanager
def default_style() -> Iterator[None]:
    """Matplotlib's own defaults within the block, so that a user's matplotlibrc cannot change a picture."""
    every = matplotlib.rcParamsDefault.items()
    defaults: Any = {name: value for name, value in every if not name.startswith("backend")}
    with matplotlib.rc_context(defaults):
        yield


def page(width: float, height: float, title: str = "", *, arranged: bool = True) -> Figure:
    """An empty figure with about width x height inches under its title.

    Axes are laid out automatically; with `arranged=False`, which is twice as fast to draw, `place` positions them.
    """
    width = max(width, NARROWEST)
    lines = textwrap.wrap(title, int(width * 10), max_lines=MOST_TITLE, placeholder="…")
    header = TITLE_LINE * len(lines) + 2 * MARGIN if lines else 0.0
    figure = Figure(figsize=(width, height + header))
    if arranged:
        figure.set_layout_engine("constrained", rect=(0, 0, 1, height / (height + header)), w_pad=MARGIN)
    place = MARGIN / width, 1 - MARGIN / (height + header)
    figure.text(*place, "\n".join(lines), va="top", fontsize=11, fontweight="bold", parse_math=False)
    return figure


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """New axes; position and size are in inches, from the lower left corner of the figure."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def add_caption(figure: Figure, caption: str) -> None:
    """Writes the caption at the bottom of the figure, which becomes higher by that."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(caption, int(width * 14), max_lines=MOST_CAPTION, placeholder="…")
    if lines:
        footer = CAPTION_LINE * len(lines) + 2 * MARGIN
        _lengthen(figure, footer)
        at = MARGIN / width, MARGIN / (height + footer)
        figure.text(*at, "\n".join(lines), va="bottom", fontsize=9, color="0.25", linespacing=1.25, parse_math=False)


def _lengthen(figure: Figure, footer: float) -> None:
    """Adds an empty footer of this height in inches; everything keeps its size and its distance from the top."""
    width, height = figure.get_size_inches()
    share = footer / (height + footer)
    figure.set_size_inches(width, height + footer)
    for text in figure.texts:
        text.set_y(share + text.get_position()[1] * (1 - share))
    engine = figure.get_layout_engine()
    if engine is None:
        for ax in figure.axes:
            left, bottom, across, up = ax.get_position().bounds
            ax.set_position((left, share + bottom * (1 - share), across, up * (1 - share)))
    else:
        left, bottom, across, up = engine.get()["rect"]
        cast(ConstrainedLayoutEngine, engine).set(rect=(left, share + bottom * (1 - share), across, up * (1 - share)))


def tidy(ax: Axes) -> Axes:
    """Styles the axes of a chart: two spines instead of a box, and a faint horizontal grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def bare(ax: Axes) -> Axes:
    """Styles the axes of a picture: tick labels without tick marks, and no box."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=7, labelcolor="0.35", pad=2)
    return ax


def shortened(text: str, length: int) -> str:
    """The text, or if it is longer its beginning and its end with an ellipsis between them, `length` characters."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return text[: length - 1 - tail].rstrip() + "…" + text[len(text) - tail :].lstrip()
