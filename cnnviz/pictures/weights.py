"""A layer's weights, trained and untrained, for the pictures of kernels and of histograms."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from cnnviz import kernels
from cnnviz.figures.finite import in_words
from cnnviz.networks import Net
from cnnviz.pictures.finite import statistics
from cnnviz.pictures.picture import Skipped
from cnnviz.probe import find_one

Pair = dict[str, Float[np.ndarray, "..."]]  # "trained" and mostly "untrained" -> the weights of one layer


def pair(net: Net, name: str) -> Pair:
    """A layer's weights as float32 in their own shape: trained, and untrained if the network has a twin."""
    sets = {"trained": net.variables} | ({"untrained": net.untrained} if net.beginnings else {})
    return {kind: np.asarray(kernels.weights(variables)[name], np.float32) for kind, variables in sets.items()}


def convolutions(net: Net) -> list[str]:
    """The names of the layers that have a convolution kernel, in order of execution."""
    return list(kernels.kernels(net.variables, net.layers))


def weighted_layer(net: Net, asked: str | None) -> str:
    """The layer to draw: the one asked for, else the first convolution, else the first layer with a kernel.

    Raises Skipped if it has no kernel, InputError if there is no such layer or several of them have kernels.
    """
    weights = kernels.weights(net.variables)
    if asked is not None:
        names = dict.fromkeys(layer.name.split("@")[0] for layer in net.find(asked))  # all calls have the same weights
        weighted = [name for name in names if name in weights]
        if not weighted:
            raise Skipped(f"The layer {asked} has no kernel; layers with one are {', '.join(weights)}.")
        if len(weighted) == 1:
            return weighted[0]
        return find_one(asked, [layer for layer in net.layers if layer.name.split("@")[0] in weighted])
    called = [layer.name.split("@")[0] for layer in net.layers]
    names = [*convolutions(net), *(name for name in called if name in weights), *weights]
    if not names:
        raise Skipped(f"{net.name} has no layer with a kernel.")
    return names[0]


def summary(weights: Mapping[str, Float[np.ndarray, "..."]]) -> str:
    """The mean and standard deviation of each array's finite values, as text."""
    facts = {name: statistics(values) for name, values in weights.items()}
    return "; ".join(f"{name} {in_words(f['mean'], f['std'])}" for name, f in facts.items())
