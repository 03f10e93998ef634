"""Spectra of layers, and the distributions of their weights: all networks in one panel per layer."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from cnnviz.comparison.layers import LayerStatistics, layers_of
from cnnviz.comparison.weights import flat, two_samples
from cnnviz.figures.small_panels import Panel, small_panels
from cnnviz.networks import Net
from cnnviz.pictures.picture import Picture

MOST_PANELS, MOST_NETWORKS, MOST_MEMBERS, BINS = 6, 4, 8, (10, 60)
OF_SEEDS = " Of several seeds a line is the mean, in a band of one standard deviation."


def few(names: Sequence[str], most: int = 6) -> str:
    """The first names as text, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def spectra(found: Mapping[str, Mapping[str, LayerStatistics]]) -> Picture:
    """The singular values of each layer's kernel as a matrix, divided by the largest."""
    names, layers = list(found)[:MOST_NETWORKS], _layers(found)
    panels = {}
    for layer in layers[:MOST_PANELS]:
        own = {name: found[name][layer] for name in names if layer in found[name]}
        lines = {name: _shares(its.spectra) for name, its in own.items()}
        ranks = " | ".join(f"{its.measures['effective rank'].mean():.1f}" for its in own.values())
        panels[layer] = Panel(lines, ranks)
    title = "Singular values by layer"
    caption = (
        "Singular values of each kernel, a matrix with one column per output, divided by the largest. The numbers in a "
        f"panel are effective ranks, in the order of the networks: {few(names)}."
    )
    caption += _seeds_said([its for each in found.values() for its in each.values()]) + _left_out(layers, found)
    records = [
        {"network": name, "layer": layer, "member": member, "number": i, "singular value": float(value)}
        for name, own in found.items()
        for layer, its in own.items()
        for member, values in enumerate(its.spectra)
        for i, value in enumerate(values, 1)
    ]
    labels = ("number", "singular value / largest")
    draw = partial(small_panels, panels, axes=labels, logarithmic=True, title=title)
    return Picture("spectra", title, caption, records, draw, {"networks": list(found)})


def _shares(every: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The singular values of each member by the largest; zeros, which a logarithmic axis does not have, are NaN."""
    largest = every.max(axis=1, initial=0, keepdims=True)
    shares = every / np.where(largest > 0, largest, np.nan)
    return np.arange(1.0, every.shape[1] + 1), np.where(shares > 1e-12, shares, np.nan)[:MOST_MEMBERS]


def distributions(networks: Sequence[Net]) -> list[Picture]:
    """The weights of each layer as densities, of the layers that two networks or more have; nothing without any."""
    every = {net.name: [layers_of(net, each) for each in net.members[:MOST_MEMBERS]] for net in networks}
    names = list(every)[:MOST_NETWORKS]
    layers = _layers({name: its[0] for name, its in every.items()})
    panels, records = {}, []
    for layer in layers[:MOST_PANELS]:
        own = {name: [flat(its[layer]) for its in every[name]] for name in names if layer in every[name][0]}
        edges = _edges([values for each in own.values() for values in each])
        if edges is None:
            continue
        lines = {name: _densities(each, edges) for name, each in own.items()}
        panels[layer] = Panel(lines, _distance(list(own.values())))
        records += [_record(layer, *row) for row in lines.items()]
    if not panels:
        return []
    title = "Distributions of weights by layer"
    caption = (
        "Densities of each layer's weights, on bins that the networks share; without the outermost 0.1% at each end. "
    )
    if any(panel.text for panel in panels.values()):
        caption += "KS is the largest distance between the distribution functions of the first two networks."
    caption = caption.rstrip()
    caption += OF_SEEDS if any(len(its) > 1 for its in every.values()) else ""
    draw = partial(small_panels, panels, axes=("weight", "density"), steps=True, title=title)
    return [Picture("distributions", title, caption + _left_out(layers, every), records, draw, {"networks": names})]


def _edges(sets: Sequence[np.ndarray]) -> np.ndarray | None:
    """Bins from the 0.1st to the 99.9th percentile of all; None without values that differ."""
    values = np.concatenate(sets)
    if not values.size or np.ptp(values) == 0:
        return None
    bins = int(np.clip(np.sqrt(max(len(each) for each in sets)), *BINS))
    low, high = np.percentile(values, (0.1, 99.9)) if values.size > 1000 else (values.min(), values.max())
    return np.linspace(low, high, bins + 1) if high > low else np.histogram_bin_edges(values, bins)


def _densities(sets: Sequence[np.ndarray], edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the bins, and of each set the share of all its weights per unit of width."""
    counts = np.stack([np.histogram(values, edges)[0] / max(values.size, 1) for values in sets])
    return (edges[1:] + edges[:-1]) / 2, counts / np.diff(edges)


def _distance(each: Sequence[Sequence[np.ndarray]]) -> str:
    return f"KS {two_samples(each[0][0], each[1][0])['ks']:.3f}" if len(each) > 1 else ""


def _record(layer: str, name: str, lines: tuple[np.ndarray, np.ndarray]) -> dict[str, object]:
    middles, densities = lines
    return {"layer": layer, "network": name, "weight": middles.tolist(), "density": densities.tolist()}


def _layers(every: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The layers of all networks; those that the most have come first, so that panels compare."""
    names = list(dict.fromkeys(layer for its in every.values() for layer in its))
    shared = lambda layer: sum(layer in its for its in every.values())
    return sorted(names, key=lambda layer: -shared(layer))


def _seeds_said(its: Sequence[LayerStatistics]) -> str:
    return OF_SEEDS if any(len(each.spectra) > 1 for each in its) else ""


def _left_out(layers: Sequence[str], found: Mapping[str, object]) -> str:
    text = f" Drawn are {MOST_PANELS} of {len(layers)} layers." if len(layers) > MOST_PANELS else ""
    return text + (f" Drawn are {MOST_NETWORKS} of {len(found)} networks." if len(found) > MOST_NETWORKS else "")
