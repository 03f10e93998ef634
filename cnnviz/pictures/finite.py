"""Sentences on values that are NaN or infinite, which pictures count and leave out."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from cnnviz import kernels
from cnnviz.figures.finite import finite

MEASURES = ("mean", "std", "min", "max")


def missing(what: str, values: Float[np.ndarray, "..."]) -> str:
    """A sentence to end a caption with, " 3 of 288 weights are NaN or infinite."; empty if all are finite."""
    count = values.size - int(np.isfinite(values).sum())
    return f" {count:,} of {values.size:,} {what} are NaN or infinite." if count else ""


def missing_weights(sets: Mapping[str, Float[np.ndarray, "..."]]) -> str:
    """The sentences on a layer's weights, trained and untrained, that are NaN or infinite."""
    words = {"trained": "weights"}
    return "".join(missing(words.get(name, f"{name} weights"), values) for name, values in sets.items())


def statistics(values: Float[np.ndarray, "..."]) -> dict[str, float]:
    """`kernels.statistics` of the finite values; all NaN if there are none."""
    kept = finite(values)
    return kernels.statistics(kept) if kept.size else dict.fromkeys(MEASURES, np.nan)
