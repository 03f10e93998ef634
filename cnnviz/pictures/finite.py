"""Sentences on values that are NaN or infinite, which pictures count and leave out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import jax
import numpy as np
from jaxtyping import Float

from cnnviz import kernels
from cnnviz.figures.finite import finite
from cnnviz.networks import Net
from cnnviz.pictures.picture import Picture
from cnnviz.probe.inputs import is_float

MEASURES = ("mean", "std", "min", "max")


def missing(what: str, values: Float[np.ndarray, "..."]) -> str:
    """A sentence to end a caption with, " 3 of 288 weights are NaN or infinite."; empty if all are finite."""
    count = values.size - int(np.isfinite(values).sum())
    return f" {count:,} of {values.size:,} {what} {'is' if count == 1 else 'are'} NaN or infinite." if count else ""


def missing_weights(sets: Mapping[str, Float[np.ndarray, "..."]]) -> str:
    """The sentences on a layer's weights, trained and untrained, that are NaN or infinite."""
    words = {"trained": "weights"}
    return "".join(missing(words.get(name, f"{name} weights"), values) for name, values in sets.items())


def statistics(values: Float[np.ndarray, "..."]) -> dict[str, float]:
    """`kernels.statistics` of the finite values; all NaN if there are none."""
    kept = finite(values)
    return kernels.statistics(kept) if kept.size else dict.fromkeys(MEASURES, np.nan)


def with_parameters_said(pictures: Sequence[Picture], net: Net) -> list[Picture]:
    """The pictures, whose captions say which parameters of the network are NaN or infinite, if any are."""
    said = missing_parameters(net)
    return [replace(picture, caption=f"{picture.caption} {said}") for picture in pictures] if said else list(pictures)


def missing_parameters(net: Net) -> str:
    """A sentence on the parameters of the network that are NaN or infinite; empty if all are finite.

    What follows from them need not be NaN: compiled for a CPU, max-pooling leaves NaN out.
    """
    counts: dict[str, int] = {}
    for member in net.members:
        for path, values in jax.tree_util.tree_leaves_with_path(member):
            if not is_float(values):  # the key of a random stream, for example
                continue
            bad = np.size(values) - int(np.isfinite(np.asarray(values, np.float32)).sum())
            name = "/".join(str(getattr(key, "key", key)) for key in path[1:])
            counts |= {name: counts.get(name, 0) + bad} if bad else {}
    if not counts:
        return ""
    named = ", ".join(f"{count:,} of {name}" for name, count in list(counts.items())[:3])
    count, verb = sum(counts.values()), "is" if sum(counts.values()) == 1 else "are"
    return f"{count:,} of the parameters {verb} NaN or infinite ({named}), which spoils what follows from them."
