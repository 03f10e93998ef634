"""Bar charts: the activations of a dense layer, and an image with its class probabilities."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.image import Shown, draw_image
from cnnviz.figures.names import distinct
from cnnviz.figures.style import (
    BLUE,
    GRAY,
    GREEN,
    VERMILLION,
    current_style,
    default_style,
    fitted,
    is_narrow,
    page,
    points,
    room,
    tidy,
)
from cnnviz.figures.text import width_of

TRUE = " (true)"


@default_style()
def code(values: Float[np.ndarray, " n"], *, title: str = "", label: str = "activation") -> Figure:
    """One bar per unit, from zero; negative values have another color, NaN and infinite ones a gray cross."""
    figure = page(8.0, 2.4 if is_narrow() else 2.8, title)
    ax = tidy(figure.subplots())
    known = np.isfinite(values)
    heights = np.where(known, values, 0)
    ax.bar(np.arange(len(values)), heights, width=0.8, color=np.where(heights < 0, VERMILLION, BLUE))
    ax.plot(np.flatnonzero(~known), np.zeros((~known).sum()), "x", color=GRAY)
    ax.axhline(0, color="0.3", linewidth=points(0.8))
    ax.set_xlim(-0.6, len(values) - 0.4)
    ax.set_xlabel("unit")
    ax.set_ylabel(label)
    return figure


@default_style()
def probabilities(
    pixels: Shown, values: Float[np.ndarray, " n"], labels: Sequence[str], *, true: int | None = None, title: str = ""
) -> Figure:
    """The image, and next to it one bar per class, from the top down; the true class is green, hatched and labelled."""
    narrow = is_narrow()
    figure = page(8.4, max(1.9 if narrow else 2.6, (0.19 if narrow else 0.26) * len(values) + 0.6), title)
    left, right = figure.subplots(1, 2, width_ratios=(1, 2.1))
    draw_image(left, pixels)
    draw_probabilities(right, values, labels, true)
    return figure


def draw_probabilities(
    ax: Axes, values: Float[np.ndarray, " n"], labels: Sequence[str], true: int | None = None
) -> None:
    """One bar per class from the top down; the true class is green, hatched and labelled."""
    size, widest = (8, 0.33 * room(8.4)) if is_narrow() else (9, 0.26 * room(8.4))
    widths = np.where(np.isfinite(values), values, 0)
    bars = ax.barh(np.arange(len(values)), widths, color=BLUE, height=0.72)
    names = distinct(labels, widest, size)
    if true is not None:
        bars[true].set(facecolor=GREEN, hatch="//", edgecolor="white")
        names[true] = fitted(names[true], widest - width_of(TRUE, size, current_style().font), size) + TRUE
    ax.set_yticks(np.arange(len(values)), names, fontsize=points(size), parse_math=False)
    ax.set_ylim(len(values) - 0.4, -0.6)
    _finish(ax, values, widths)


def _finish(ax: Axes, values: Float[np.ndarray, " n"], widths: Float[np.ndarray, " n"]) -> None:
    """The number at the end of each bar, and the axis of probabilities."""
    for place, (width, value) in enumerate(zip(widths, values, strict=True)):
        text = _in_thousandths(value)
        ax.text(float(width) + 0.012, place, text, va="center", fontsize=points(7 if is_narrow() else 8))
    ax.set_xlim(0, 1.35 if is_narrow() else 1.1)
    ax.set_xticks(np.linspace(0, 1, 3 if is_narrow() else 6))
    ax.set_xlabel("probability", fontsize=points(8 if is_narrow() else 10))
    ax.tick_params(axis="x", labelsize=points(7 if is_narrow() else 10))
    ax.spines[["top", "right"]].set_visible(False)


def _in_thousandths(probability: float) -> str:
    """A probability to three decimals; one that is not quite 0 or 1 is not printed as such."""
    if 0 < probability < 5e-4:
        return "<0.001"
    return ">0.999" if 0.9995 <= probability < 1 else f"{probability:.3f}".replace("nan", "NaN")
