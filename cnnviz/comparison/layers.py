"""The weights of a network's layers, of all its members, and those of two networks that can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from cnnviz import kernels
from cnnviz.comparison.weights import chance, cosine, same_shapes, spectrum, statistics, two_samples
from cnnviz.networks import Net
from cnnviz.types import Variables

MOST = 8  # pairs of members that are compared
Layers = dict[str, np.ndarray]
Measures = dict[str, Shaped[np.ndarray, " _"]]


def layers_of(net: Net, variables: Variables) -> Layers:
    """The kernels of convolutions and dense layers by name, in order of execution, in float32."""
    found = kernels.weights(variables)
    called = dict.fromkeys(layer.name.split("@")[0] for layer in net.layers)
    names = [*(name for name in called if name in found), *(name for name in found if name not in called)]
    return {name: np.asarray(found[name], np.float32) for name in names}


@dataclass(frozen=True)
class LayerStatistics:
    """One layer of all members: `weights.statistics`, one value per member, and the singular values.

    `full_rank` is the largest rank of a kernel of its shape. Spectra of members that are not finite are NaN.
    """

    measures: Measures
    spectra: Float[np.ndarray, "members k"]
    full_rank: int


def statistics_of(net: Net) -> dict[str, LayerStatistics]:
    """The statistics of each layer; drift and cosine only of a run, as any other network's beginning is not known."""
    found: dict[str, list[tuple[dict[str, Any], np.ndarray]]] = {}
    for place, variables in enumerate(net.members):
        begun = layers_of(net, net.beginnings[place]) if net.path is not None and net.beginnings else {}
        for layer, its in layers_of(net, variables).items():
            singular = spectrum(its)
            found.setdefault(layer, []).append((statistics(its, begun.get(layer), singular=singular), singular))
    return {layer: _together(rows, max(len(singular) for _, singular in rows)) for layer, rows in found.items()}


def _together(rows: Sequence[tuple[dict[str, Any], np.ndarray]], rank: int) -> LayerStatistics:
    spectra = np.stack([singular if len(singular) else np.full(rank, np.nan) for _, singular in rows])
    return LayerStatistics({name: np.array([row[name] for row, _ in rows]) for name in rows[0][0]}, spectra, rank)


@dataclass(frozen=True)
class LayerDifferences:
    """How the weights of two networks differ, by pairs of layers with the same shape.

    `layers` has, by the name of the pair, the measures `ks`, `p`, `cohens d`, `deviation ratio`, `wasserstein`,
    `cosine` and `distance`, one value per pair of members. `expected` is what `weights.chance` says of the first pair;
    `left` are the names of layers that only one of the networks has, and `by_shape` those of pairs with two names.
    `are_independent` says that no member is in two pairs, so that an interval over the pairs is one over seeds.
    """

    one: str
    other: str
    layers: dict[str, Measures]
    expected: dict[str, dict[str, float]]
    left: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    by_shape: tuple[str, ...] = ()
    are_independent: bool = False


def layer_differences(a: Net, b: Net) -> LayerDifferences:
    """Two networks compared member by member, the first of A with the first of B and so on, at most eight."""
    count = min(max(len(a.members), len(b.members)), MOST)
    pairs = [(a.members[i % len(a.members)], b.members[i % len(b.members)]) for i in range(count)]
    return replace(_compared(a, b, pairs), are_independent=len(a.members) == len(b.members))


def seed_differences(net: Net) -> LayerDifferences | None:
    """The members of one network compared with each other, each with the next one; None if there is only one."""
    if len(net.members) < 2:
        return None
    count = min(len(net.members), MOST)
    places = [(i, (i + 1) % count) for i in range(count if count > 2 else 1)]
    return _compared(net, net, [(net.members[i], net.members[k]) for i, k in places])


def _compared(a: Net, b: Net, pairs: Sequence[tuple[Variables, Variables]]) -> LayerDifferences:
    each = [(layers_of(a, one), layers_of(b, other)) for one, other in pairs]
    same, *left = same_shapes(*each[0])
    name = lambda one, other: one if one == other else f"{one} / {other}"
    rows = {name(*pair): [_row(one[pair[0]], other[pair[1]]) for one, other in each] for pair in same}
    layers = {layer: {key: np.array([row[key] for row in own]) for key in own[0]} for layer, own in rows.items()}
    expected = {name(*pair): chance(each[0][0][pair[0]], each[0][1][pair[1]]) for pair in same}
    by_shape = tuple(name(*pair) for pair in same if pair[0] != pair[1])
    return LayerDifferences(a.name, b.name, layers, expected, (tuple(left[0]), tuple(left[1])), by_shape)


def _row(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    distance = float(np.linalg.norm(one.astype(np.float64) - other))
    return {**two_samples(one, other), "cosine": cosine(one, other), "distance": distance}
