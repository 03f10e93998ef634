"""A layer's weights, trained and untrained, for the pictures of kernels and of histograms."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from cnnviz import kernels
from cnnviz.networks import Net
from cnnviz.pictures.picture import Skipped

Pair = dict[str, Float[np.ndarray, "..."]]  # "trained" and "untrained" -> the weights of one layer


def pair(net: Net, name: str) -> Pair:
    """A layer's weights as float32, trained and untrained, in their own shape."""
    trained, untrained = (kernels.weights(variables)[name] for variables in (net.variables, net.untrained))
    return {"trained": np.asarray(trained, np.float32), "untrained": np.asarray(untrained, np.float32)}


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
        return weighted[0] if len(weighted) == 1 else net.layer(weighted).name
    called = [layer.name.split("@")[0] for layer in net.layers]
    names = [*convolutions(net), *(name for name in called if name in weights), *weights]
    if not names:
        raise Skipped(f"{net.name} has no layer with a kernel.")
    return names[0]


def summary(weights: Mapping[str, Float[np.ndarray, "..."]]) -> str:
    """The mean and standard deviation of each array, as text."""
    facts = {name: kernels.statistics(values) for name, values in weights.items()}
    return "; ".join(f"{name} mean {f['mean']:.4f}, standard deviation {f['std']:.4f}" for name, f in facts.items())
