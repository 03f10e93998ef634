"""Histograms of weights: two sets on the same bins and axes."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from cnnviz.figures.finite import finite, in_words, moments
from cnnviz.figures.style import BLUE, VERMILLION, default_style, is_narrow, page, points, tidy

Sets = Mapping[str, Float[np.ndarray, "..."]]
STYLES = [
    {"histtype": "stepfilled", "facecolor": BLUE, "alpha": 0.55, "edgecolor": BLUE},
    {"histtype": "step", "edgecolor": VERMILLION, "linewidth": 1.8},
]


def bin_edges(sets: Sets) -> Float[np.ndarray, " edges"]:
    """Edges of equal bins over all finite values, one edge at zero; about 30 bins, or 60 from 5000 values on."""
    values = np.concatenate([np.ravel(finite(values)) for values in sets.values()])
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    width = ((high - low) or 1.0) / (30 if len(values) < 5000 else 60)
    # one more bin at each end, so that rounding excludes no value
    return np.arange(np.ceil(low / width) - 1, np.floor(high / width) + 2) * width


def counts(sets: Sets, edges: Float[np.ndarray, " edges"]) -> dict[str, Int[np.ndarray, " bins"]]:
    """The number of finite values of each set in each bin."""
    return {name: np.histogram(finite(values), edges)[0] for name, values in sets.items()}


@default_style()
def histograms(sets: Sets, *, title: str = "", label: str = "weight") -> Figure:
    """Two overlaid sets, the first filled and the second outlined, with mean and standard deviation in the legend."""
    figure = page(7.0, 4.0, title)
    ax = tidy(figure.subplots())
    edges = bin_edges(sets)
    for (name, values), style in zip(sets.items(), STYLES, strict=False):
        words = in_words(*moments(values))
        words = words.replace(", ", ",\n") if is_narrow() else words
        legend = f"{name}: {words}"
        ax.hist(np.ravel(finite(values)), bins=list(edges), label=legend, **style)
    ax.set_xlabel(label)
    ax.set_ylabel("weights in the bin")
    ax.margins(y=0.18)  # room for the legend above the bars
    ax.legend(frameon=False, fontsize=points(8), loc="upper left")
    return figure
