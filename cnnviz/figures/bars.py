"""Bar charts: the activations of a dense layer, and an image with its class probabilities."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.image import Shown, draw_image
from cnnviz.figures.style import BLUE, GRAY, GREEN, VERMILLION, default_style, page, shortened, tidy


@default_style()
def code(values: Float[np.ndarray, " n"], *, title: str = "", label: str = "activation") -> Figure:
    """One bar per unit, from zero; negative values have another color, NaN and infinite ones a gray cross."""
    figure = page(8.0, 2.8, title)
    ax = tidy(figure.subplots())
    known = np.isfinite(values)
    heights = np.where(known, values, 0)
    ax.bar(np.arange(len(values)), heights, width=0.8, color=np.where(heights < 0, VERMILLION, BLUE))
    ax.plot(np.flatnonzero(~known), np.zeros((~known).sum()), "x", color=GRAY)
    ax.axhline(0, color="0.3", linewidth=0.8)
    ax.set_xlim(-0.6, len(values) - 0.4)
    ax.set_xlabel("unit")
    ax.set_ylabel(label)
    return figure


@default_style()
def probabilities(
    pixels: Shown, values: Float[np.ndarray, " n"], labels: Sequence[str], *, true: int | None = None, title: str = ""
) -> Figure:
    """The image, and next to it one bar per class, from the top down; the true class is green, hatched and labelled."""
    figure = page(8.4, max(2.6, 0.26 * len(values) + 0.6), title)
    left, right = figure.subplots(1, 2, width_ratios=(1, 2.1))
    draw_image(left, pixels)
    draw_probabilities(right, values, labels, true)
    return figure


def draw_probabilities(
    right: Axes, values: Float[np.ndarray, " n"], labels: Sequence[str], true: int | None = None
) -> None:
    """One bar per class from the top down; the true class is green, hatched and labelled."""
    places, widths = np.arange(len(values)), np.where(np.isfinite(values), values, 0)
    bars = right.barh(places, widths, color=BLUE, height=0.72)
    names = [shortened(label, 28) for label in labels]
    if true is not None:
        bars[true].set(facecolor=GREEN, hatch="//", edgecolor="white")
        names[true] += " (true)"
    for place, width, value in zip(places, widths, values, strict=True):
        right.text(width + 0.012, place, f"{value:.3f}".replace("nan", "NaN"), va="center", fontsize=8)
    right.set_yticks(places, names, fontsize=9, parse_math=False)
    right.set_xlim(0, 1.1)
    right.set_xticks(np.linspace(0, 1, 6))
    right.set_ylim(len(values) - 0.4, -0.6)
    right.set_xlabel("probability")
    right.spines[["top", "right"]].set_visible(False)
