"""Confusion matrices: counts, colored by their share of the true class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.style import bare, default_style, page, shortened

Counts = Int[np.ndarray, "k k"]
Totals = Int[np.ndarray, " k"]
NAMED, COUNTED = 50, 20  # with more classes than this, names or counts would be illegible and are left out


def shares(counts: Counts, totals: Totals | None = None) -> Float[np.ndarray, "k k"]:
    """Each row divided by its total, by default its sum; the row of a class without examples is zero."""
    every: Any = counts.sum(axis=1) if totals is None else totals
    return counts / np.maximum(every, 1)[:, None]


@default_style()
def confusion(counts: Counts, classes: Sequence[str], totals: Totals | None = None, *, title: str = "") -> Figure:
    """The matrix, with one row per true class and one column per predicted class.

    `totals` are the numbers of examples of the true classes if the matrix leaves out other classes.
    """
    k = len(counts)
    side = float(np.clip(0.55 * k, 3.5, 7.0)) if k <= COUNTED else 7.0
    figure = page(side + 2.2, side + 0.9, title)
    ax = figure.subplots()
    drawn = ax.imshow(shares(counts, totals), cmap="Blues", vmin=0, vmax=1, interpolation="none")
    if k <= COUNTED:
        _print_counts(ax, counts, shares(counts, totals))
    _name_classes(ax, classes)
    bar = figure.colorbar(drawn, ax=ax, shrink=0.8, pad=0.02)
    bar.set_label("share of the true class", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def _print_counts(ax: Axes, counts: Counts, parts: Float[np.ndarray, "k k"]) -> None:
    size = 9 if len(counts) <= 12 else 6
    for (row, column), share in np.ndenumerate(parts):
        color = "white" if share > 0.5 else "black" if counts[row, column] else "0.75"
        ax.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=size, color=color)


def _name_classes(ax: Axes, classes: Sequence[str]) -> None:
    """Class names on both axes where they are legible, else every tenth or hundredth class number."""
    k = len(classes)
    bare(ax)
    ax.spines[:].set(visible=True, color="0.7")
    if k <= NAMED:
        size = 9 if k <= 12 else 8 if k <= COUNTED else 6
        names = [shortened(name, 22) for name in classes]
        ax.set_xticks(range(k), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size, parse_math=False)
        ax.set_yticks(range(k), names, fontsize=size, parse_math=False)
    else:
        places = np.arange(0, k, 10 ** int(np.log10(k) - 0.6))
        ax.set_xticks(places, places, fontsize=8)
        ax.set_yticks(places, places, fontsize=8)
    ax.set_xlabel("predicted class" if k <= NAMED else "number of the predicted class", fontsize=9)
    ax.set_ylabel("true class" if k <= NAMED else "number of the true class", fontsize=9)
