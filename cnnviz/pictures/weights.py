"""A layer's weights, trained and untrained, for the pictures of kernels and of histograms."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from cnnviz import kernels
from cnnviz.errors import InputError
from cnnviz.errors.wording import listed
from cnnviz.figures.finite import in_words
from cnnviz.networks import Net
from cnnviz.pictures.finite import statistics
from cnnviz.pictures.picture import Skipped, size
from cnnviz.probe import Layer

Pair = dict[str, Float[np.ndarray, "..."]]  # "trained" and mostly "untrained" -> the weights of one layer


def pair(net: Net, name: str) -> Pair:
    """A layer's weights as float32 in their own shape: trained, and untrained if the network has a twin."""
    sets = {"trained": net.variables} | ({"untrained": net.untrained} if net.beginnings else {})
    return {kind: np.asarray(kernels.weights(variables)[name], np.float32) for kind, variables in sets.items()}


def convolutions(net: Net) -> list[str]:
    """The names of the layers that have a convolution kernel, in order of execution."""
    return list(kernels.kernels(net.variables, net.layers))


def weighted_layers(net: Net, asked: str | None) -> list[str]:
    """The layers to draw: those asked for that have a kernel, else the first convolution, else the first with a kernel.

    Raises Skipped if none has a kernel, InputError if there is no such layer.
    """
    weights = kernels.weights(net.variables)
    if asked is not None:
        found = _modules(net.find(asked))
        if not (weighted := [name for name in found if name in weights]):
            which = " ".join(["The layer", *found]) if len(found) == 1 else f"Each of the layers {asked}"
            raise Skipped(f"{which} has no kernel; layers with one are {', '.join(weights)}.")
        return weighted
    names = [*convolutions(net), *(name for name in _modules(net.layers) if name in weights), *weights]
    if not names:
        raise Skipped(f"{net.name} has no layer with a kernel.")
    return names[:1]


def weighted_layer(net: Net, asked: str | None) -> str:
    """The one layer of `weighted_layers`; raises InputError if several with a kernel are asked for."""
    name, *others = weighted_layers(net, asked)
    if others:
        raise InputError(f"One layer is needed here; {asked!r} means {listed([name, *others])}.")
    return name


def tell_left_out(
    net: Net, asked: str | None, drawn: Sequence[str], lack: str, note: Callable[[str], object], kind: str
) -> None:
    """Tells `note` which layers of those asked for are not drawn: they have no `lack`."""
    others = [name for name in _modules(net.find(asked)) if name not in drawn] if asked is not None else []
    if others:
        have, are = ("has", "is") if len(others) == 1 else ("have", "are")
        note(f"{kind}: {listed(others)} {have} no {lack} and {are} left out.")


def _modules(layers: Sequence[Layer]) -> list[str]:
    """The names of the layers, each once: all calls of a module have the same weights."""
    return list(dict.fromkeys(layer.name.split("@")[0] for layer in layers))


def summary(weights: Mapping[str, Float[np.ndarray, "..."]]) -> str:
    """The mean and standard deviation of each array's finite values, as text."""
    facts = {name: statistics(values) for name, values in weights.items()}
    return "; ".join(f"{name} {in_words(f['mean'], f['std'])}" for name, f in facts.items())


def rows(pairs: Mapping[str, Mapping[str, Float[np.ndarray, "..."]]]) -> list[dict[str, str]]:
    """One row per layer and set for a printed table: how many weights, their mean and standard deviation."""
    number = lambda value: f"{value:.8g}"
    found = []
    for layer, sets in pairs.items():
        for kind, values in sets.items():
            facts = statistics(values)
            row = {"layer": layer, "weights": kind, "shape": size(values.shape), "mean": number(facts["mean"])}
            found.append(row | {"standard deviation": number(facts["std"])})
    return found
