"""Histograms of weights: each set in bins of its own, and all of them as densities on the same bins."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.finite import finite, in_words, moments
from cnnviz.figures.printable import signed
from cnnviz.figures.style import (
    BLUE,
    GREEN,
    VERMILLION,
    default_style,
    is_narrow,
    page,
    points,
    shortened,
    tidy,
)
from cnnviz.figures.ticks import round_locator

Values = Float[np.ndarray, "..."]
Sets = Mapping[str, Values]
Edges = Float[np.ndarray, " edges"]

BINS, FINE, MANY = 10, 30, 5000  # bins of a set by itself; of the narrowest set of at least so many values
MOST_BINS = 1000  # of the bins that all sets share
COLORS = (BLUE, VERMILLION, GREEN)
LINES = ("-", "-", "--", "-.")


class Histogram(NamedTuple):
    """The number of values in each bin, and the edges of the bins."""

    counts: Int[np.ndarray, " bins"]
    edges: Edges

    @property
    def density(self) -> Float[np.ndarray, " bins"]:
        """The share of the values per unit of width, so that the bars' areas sum to one; zero without values."""
        return self.counts / (max(self.counts.sum(), 1) * np.diff(self.edges))


def own_histogram(values: Values) -> Histogram:
    """The finite values in ten equal bins between the least and the greatest of them."""
    return Histogram(*np.histogram(finite(values).astype(np.float64), BINS))


def shared_histograms(sets: Sets) -> dict[str, Histogram]:
    """The finite values of each set on bins that all sets share."""
    edges = shared_edges(sets)
    return {name: Histogram(*np.histogram(finite(values), edges)) for name, values in sets.items()}


def shared_edges(sets: Sets) -> Edges:
    """Edges of equal bins that hold all finite values, fine enough for the set with the narrowest range.

    That set fills ten of them exactly, or 30 if it has 5000 values, so that a set of uniform values is flat; fewer if
    there would be more than about 1000 bins. Sets whose values are all equal do not count.
    """
    kept = [finite(values).astype(np.float64) for values in sets.values()]
    every = np.concatenate([np.ravel(values) for values in kept])
    spread = [values for values in kept if values.size and np.ptp(values) > 0]
    if not spread:
        return np.histogram_bin_edges(every, BINS)
    narrowest = min(spread, key=np.ptp)
    start, share = narrowest.min(), np.ptp(narrowest) / np.ptp(every)
    bins = max(min(FINE if narrowest.size >= MANY else BINS, int(MOST_BINS * share)), 1)
    width = max(np.ptp(narrowest) / bins, np.ptp(every) / MOST_BINS)
    width *= 1 + 1e-9  # the last of its bins holds its greatest value too
    before, after = np.ceil((start - every.min()) / width), np.floor((every.max() - start) / width) + 1
    return start + width * np.arange(-before, after + 1)


@default_style()
def histograms(sets: Sets | Values, *, title: str = "", label: str = "weight") -> Figure:
    """A panel for each set, with its counts in ten bins of its own, and below them all sets as densities.

    The panels' titles give mean and standard deviation. One set, which may be an array without a name, has no panel
    of densities.
    """
    sets = sets if isinstance(sets, Mapping) else {"": sets}
    down, across = (len(sets) + 1, 1) if is_narrow() else (2, len(sets))
    figure = page(7.0, 2.7 if len(sets) == 1 else max(5.2, 1.7 * down), title)
    grid = figure.add_gridspec(down if len(sets) > 1 else 1, across)
    for i, ((name, values), color) in enumerate(zip(sets.items(), itertools.cycle(COLORS), strict=False)):
        _draw_counts(tidy(figure.add_subplot(grid[i, 0] if is_narrow() else grid[0, i])), own_histogram(values), color)
        words = signed(in_words(*moments(values)))
        words = f"{shortened(name, 24)}, in ten bins of its own\n{words}" if name else words
        figure.axes[-1].set_title(words, fontsize=points(8.5), loc="left", parse_math=False)
        figure.axes[-1].set_xlabel(label)
    figure.axes[0].set_ylabel("count")
    if len(sets) > 1:
        _draw_densities(tidy(figure.add_subplot(grid[-1, :])), shared_histograms(sets), label)
    return figure


def _draw_counts(ax: Axes, histogram: Histogram, color: str) -> None:
    """Bars with their counts above them."""
    counts, edges = histogram
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": points(7), "ha": "center"}
    is_long = counts.max() >= 1000
    ax.stairs(counts, edges, fill=True, facecolor=color, alpha=0.55, edgecolor=color)
    ax.vlines(edges[1:-1], 0, np.minimum(counts[1:], counts[:-1]), color="white", linewidth=0.6)
    for count, middle in zip(counts, (edges[1:] + edges[:-1]) / 2, strict=True):
        ax.annotate(f"{count:,}", (middle, count), (0, points(2)), rotation=90 * is_long, **style)
    upright = (0.13 if is_narrow() else 0.06) * len(f"{counts.max():,}")  # of the bars' height, what a number takes
    ax.margins(y=upright if is_long else 0.12)
    ax.xaxis.set_major_locator(round_locator(5))
    ax.tick_params(labelsize=points(8))
    ax.set_ylim(bottom=0)


def _draw_densities(ax: Axes, found: Mapping[str, Histogram], label: str) -> None:
    """The first set filled, the others outlined."""
    styles = zip(found.items(), itertools.cycle(COLORS), itertools.cycle(LINES), strict=False)
    for i, ((name, histogram), color, line) in enumerate(styles):
        style = {"linewidth": 1.8, "linestyle": line} if i else {"fill": True, "facecolor": color, "alpha": 0.55}
        ax.stairs(histogram.density, histogram.edges, label=shortened(name, 40), edgecolor=color, **style)
    ax.set_title(
        f"as densities, on the same {len(next(iter(found.values())).counts)} bins", fontsize=points(8.5), loc="left"
    )
    ax.set_xlabel(label)
    ax.set_ylabel("density")
    if is_narrow():  # room for the names above the lines
        ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    legend = ax.legend(frameon=False, fontsize=points(8 if is_narrow() else 9), ncols=2 if is_narrow() else 1)
    for text in legend.get_texts():
        text.set_parse_math(False)
