"""The style of every figure: its page, title, caption and colors, at the width that a user asks for.

All sizes in the code of figures are those of a page on a screen: inches for places, points for text and lines. A style
multiplies them by its `scale`, so what is drawn for a column or a slide is the same page, smaller or larger.
"""

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.fonts import FONT, drawable
from cnnviz.figures.printable import signed
from cnnviz.figures.text import Size, width_of, wrapped

# Okabe and Ito's palette, distinguishable with color blindness; color is never the only distinction.
BLUE, VERMILLION, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#6E6E6E"
GUTTER = "#9A9A9A"  # between maps: neither white, a diverging map's zero, nor the dark of a sequential one's

SMALLER = 0.8  # of matplotlib's usual text, on a narrow page
NARROWEST = 6.0  # inches: titles and captions wrap to the page
MARGIN, BETWEEN = 0.08, 3 / 72  # inches: around all, and between axes
CAPTION_LINE = 0.165  # inches
TITLE_LINE = 0.21  # inches
MOST_TITLE, MOST_CAPTION = 5, 20  # lines; what is longer ends in an ellipsis
TICKS = [
    f"{axis}tick.{kind}.{what}" for axis in "xy" for kind in ("major", "minor") for what in ("size", "width", "pad")
]
# matplotlib's settings in points, which follow the scale
POINTS = (
    "font.size lines.linewidth lines.markersize patch.linewidth hatch.linewidth grid.linewidth axes.linewidth "
    "axes.titlepad axes.labelpad"
).split() + TICKS


@dataclass(frozen=True)
class Style:
    """How figures are drawn: `width` in inches, by default what each needs; `scale` of all text and lines.

    Without `titled` a figure has neither title nor caption, as in a paper. `height` in inches is the greatest with the
    `caption`, by default any: `figures.fit` makes the scale smaller for it. A title takes at least so many `lines`.
    """

    width: float | None = None
    scale: float = 1.0
    titled: bool = True
    font: str = FONT
    height: float | None = None
    caption: str = ""
    lines: int = 1


SCREEN = Style()
_style: ContextVar[Style] = ContextVar("style", default=SCREEN)


@contextmanager
def drawn_in(style: Style) -> Iterator[None]:
    """Draws every figure within the block in this style; elsewhere figures have their natural width."""
    token = _style.set(style)
    try:
        yield
    finally:
        _style.reset(token)


def current_style() -> Style:
    """The style that figures are drawn in here."""
    return _style.get()


@contextmanager
def default_style() -> Iterator[None]:
    """Our settings and else matplotlib's defaults within the block: a user's matplotlibrc cannot change a picture."""
    style = current_style()
    every = matplotlib.rcParamsDefault.items()
    defaults: Any = {name: value for name, value in every if not name.startswith("backend")}
    defaults |= {name: style.scale * defaults[name] for name in POINTS}
    defaults["font.size"] *= SMALLER if is_narrow() else 1.0
    defaults |= {"text.hinting": "no_hinting"}  # hinted text is wider than measured where pixels are few
    defaults |= {"font.family": [style.font], "image.interpolation": "nearest"}  # others are smoothed by PDF viewers
    with matplotlib.rc_context(defaults):
        yield


def points(size: Size) -> float:
    """A size of text or of a line, in points of the unscaled page, in this style."""
    return size * current_style().scale


def room(natural: float | int) -> float:
    """The width of the page that a figure gets which would like to be so wide; both in inches of the unscaled page."""
    style = current_style()
    return max(float(natural), NARROWEST) if style.width is None else style.width / style.scale


def is_narrow() -> bool:
    """Whether figures are narrower than a page on a screen, so that what is side by side should be stacked."""
    return room(NARROWEST) < 0.9 * NARROWEST


def is_slide() -> bool:
    """Whether figures have a greatest height, so that what is high should be wide instead."""
    return current_style().height is not None


def free_height(title: str) -> float:
    """The height between title and caption that a slide has, in inches of the unscaled page; elsewhere infinite."""
    style = current_style()
    if style.height is None:
        return math.inf
    return style.height / style.scale - _header(_title_lines(title, room(0))) - footer_of(style.caption, room(0))


def size_of(figure: Figure) -> tuple[float, float]:
    """The figure's width and height in inches of the unscaled page."""
    width, height = figure.get_size_inches() / current_style().scale
    return float(width), float(height)


class SteadyLayout(ConstrainedLayoutEngine):
    """Matplotlib's constrained layout with positions rounded to a billionth of the page.

    Its solver visits variables by their addresses in memory, so a last digit differs between two equal figures; the
    names of clip paths in an SVG file are hashes of all digits.
    """

    def execute(self, fig: Figure) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "constrained_layout not applied")  # labels without room are an error
            grids = super().execute(fig)
        for ax in fig.axes:
            for which in ("original", "active"):
                corners = ax.get_position(original=which == "original").get_points().round(9)
                ax._set_position(Bbox(corners), which=which)  # pyright: ignore  # the public one leaves the layout
        return grids


def page(width: float, height: float, title: str = "", *, arranged: bool = True) -> Figure:
    """An empty figure under its title: as wide as the style says, by default about width x height inches.

    Axes are laid out automatically; with `arranged=False`, which is twice as fast to draw, `place` positions them.
    Raises InputError if nothing is left of the height, which may follow from the width and its labels.
    """
    if height <= 0:
        raise InputError(
            f"A width of {counted(float(current_style().width or width), 'inch')} is too small for the labels."
        )
    style, width = current_style(), room(width)
    lines = _title_lines(title, width)
    header = _header(lines)
    figure = Figure(figsize=(width * style.scale, (height + header) * style.scale))
    if arranged:
        pads: dict[str, Any] = {"w_pad": MARGIN * style.scale, "h_pad": BETWEEN * style.scale}
        figure.set_layout_engine(SteadyLayout(rect=(0, 0, 1, height / (height + header)), **pads))
    if lines:
        at = MARGIN / width, 1 - MARGIN / (height + header)
        figure.text(*at, "\n".join(lines), va="top", fontsize=points(11), fontweight="bold", parse_math=False)
    return figure


def _title_lines(title: str, width: float) -> list[str]:
    style = current_style()
    lines = wrapped(signed(title), width - 2 * MARGIN, 11, MOST_TITLE, style.font, "bold") if style.titled else []
    return [*lines, *[""] * (style.lines - len(lines))] if lines else []


def _header(lines: list[str]) -> float:
    return TITLE_LINE * len(lines) + 2 * MARGIN if lines else 0.0


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """New axes; position and size are in inches of the unscaled page, from the lower left corner of the figure."""
    across, up = size_of(figure)
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def add_caption(figure: Figure, caption: str) -> None:
    """Writes the caption at the bottom of the figure, which becomes higher by that; not in a style without titles."""
    width, height = size_of(figure)
    if lines := _caption_lines(caption, width):
        footer = footer_of(caption, width)
        _lengthen(figure, footer / (height + footer))
        at, size = (MARGIN / width, MARGIN / (height + footer)), points(9)
        text = "\n".join(lines)
        figure.text(*at, text, va="bottom", fontsize=size, color="0.25", linespacing=1.25, parse_math=False)


def footer_of(caption: str, width: float) -> float:
    """How much higher a figure of this width becomes by its caption; both in inches of the unscaled page."""
    lines = _caption_lines(caption, width)
    return CAPTION_LINE * len(lines) + 2 * MARGIN if lines else 0.0


def _caption_lines(caption: str, width: float) -> list[str]:
    style = current_style()
    return wrapped(caption, width - 2 * MARGIN, 9, MOST_CAPTION, style.font) if style.titled else []


def _lengthen(figure: Figure, share: float) -> None:
    """Adds an empty footer, a share of the new height; everything keeps its size and its distance from the top."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height / (1 - share))
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
    ax.grid(axis="y", color="0.9", linewidth=points(0.8))
    ax.set_axisbelow(True)
    return ax


def bare(ax: Axes) -> Axes:
    """Styles the axes of a picture: tick labels without tick marks, and no box."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=points(7), labelcolor="0.35", pad=points(2))
    return ax


def shortened(text: str, length: int) -> str:
    """The text, or if it is longer its beginning and its end with an ellipsis between them, `length` characters."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    head, end = text[: length - 1 - tail], text[len(text) - tail :]
    return head.rstrip(" …") + "…" + end.lstrip(" …")  # of a name that was shortened before, one ellipsis


def fitted(text: str, width: float, size: Size) -> str:
    """The text, shortened to at most `width` inches at `size` points, both of the unscaled page."""
    font = current_style().font
    text = drawable(text, font)
    low, high = 1, min(len(text), int(width * 72))  # no character is narrower than a point
    if len(text) <= high and width_of(text, size, font) <= width:
        return text
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width_of(shortened(text, middle), size, font) <= width else (low, middle - 1)
    return shortened(text, low)


def folded(name: str, width: float, size: Size) -> list[str]:
    """The name in lines of at most `width` inches, broken after punctuation, and shortened if need be."""
    font, lines = current_style().font, [""]
    for part in re.findall("[^/_:,]*[/_:,]|[^/_:,]+", drawable(name, font)):
        if not lines[-1] or width_of(lines[-1] + part, size, font) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return [fitted(line.strip(), width, size) for line in lines]
