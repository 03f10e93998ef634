"""The weights of networks layer by layer: statistics, drift from the beginning, and whether two networks' differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.batching import Report
from cnnviz.comparison.estimates import LEVEL, over_seeds
from cnnviz.comparison.layers import (
    LayerDifferences,
    LayerStatistics,
    layer_differences,
    seed_differences,
    statistics_of,
)
from cnnviz.comparison.significance import twice_the_median
from cnnviz.networks import Net
from cnnviz.pictures.compared.rows import Cells, records
from cnnviz.pictures.compared.weight_shapes import distributions, few, spectra
from cnnviz.pictures.layer_slides import by_layers
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped

MOST_LAYERS, MOST_SERIES, MOST_OTHERS = 24, 6, 3
STATISTICS = {
    "std": "standard deviation",
    "rank share": "effective rank / full rank",
    "relative drift": "drift / norm at the start",
    "cosine": "cosine with the start",
}
CHANCE = "in random order"
WORDS = {"std": "standard deviation", "ks": "KS", "cohens d": "Cohen's d"}
Found = dict[str, LayerStatistics]


@dataclass(frozen=True)
class Weights(Kind):
    """Statistics, drift, spectra and distributions of each layer's weights, and how they differ."""

    level: float = LEVEL
    """The level of the intervals."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """Up to four pictures; raises Skipped if no network has a layer with a kernel."""
        told = report or (lambda done, total, what="": None)
        found = {}
        for place, net in enumerate(networks):
            told(place, 2 * len(networks), net.name)
            found[net.name] = statistics_of(net)
        if not any(found.values()):
            raise Skipped("No network has a layer with a kernel.")
        told(len(networks), 2 * len(networks), "differences")
        drawn = [_statistics(networks, found, self.level), spectra(found), *distributions(networks)]
        between = [layer_differences(networks[0], other) for other in networks[1 : 1 + MOST_OTHERS]]
        within = [each for each in map(seed_differences, networks) if each is not None]
        return [*drawn, *_differences(between, within, len(networks), self.level)]


def _statistics(networks: Sequence[Net], found: Mapping[str, Found], level: float) -> Picture:
    layers = list(dict.fromkeys(layer for its in found.values() for layer in its))
    shown, names = layers[:MOST_LAYERS], list(found)[:MOST_SERIES]
    of = lambda key: {name: _values(found[name], key) for name in names}
    panels = {label: series for key, label in STATISTICS.items() if any((series := of(key)).values())}
    caption = (
        "Each mark is a layer's kernel. The effective rank is exp of the entropy of the singular values, the full rank "
        "if all are equal. Drift is the norm of what training added."
    )
    caption += _of_seeds(networks) + _unknown(networks) + _left_out(layers, found)
    table = [_row(name, layer, its, level) for name, own in found.items() for layer, its in own.items()]
    title = "Weights by layer"
    about = "weights", title, caption, records(table), {"networks": list(found)}
    return by_layers(*about, shown, panels, table=table)


def _values(its: Found, key: str) -> dict[str, np.ndarray]:
    """One statistic of each layer that has it; the rank as a share of the largest that the kernel's shape allows."""
    if key == "rank share":
        return {layer: each.measures["effective rank"] / max(each.full_rank, 1) for layer, each in its.items()}
    return {layer: each.measures[key] for layer, each in its.items() if key in each.measures}


def _row(name: str, layer: str, its: LayerStatistics, level: float) -> Cells:
    """The statistics of one layer: of several members their mean, with Student's interval."""
    several = lambda values: len(values) > 1 and np.isfinite(values).all()
    of = lambda values: over_seeds(values, level) if several(values) else float(values.mean())
    first: Cells = {"network": name, "layer": layer, "weights": int(its.measures["weights"][0])}
    rest = {key: of(values) for key, values in its.measures.items() if key != "weights"}
    return {**first, **{WORDS.get(key, key): value for key, value in rest.items()}, "full rank": its.full_rank}


def _of_seeds(networks: Sequence[Net]) -> str:
    several = [net.name for net in networks if len(net.members) > 1]
    return f" Of {', '.join(several)} each tick is a seed and the mark their mean." if several else ""


def _unknown(networks: Sequence[Net]) -> str:
    """A sentence on networks without a beginning."""
    names = [net.name for net in networks if net.path is None or not net.beginnings]
    return f" The start is not known of {', '.join(names)}, so there is no drift." if names else ""


def _left_out(layers: Sequence[str], found: Mapping[str, Found]) -> str:
    text = f" Drawn are the first {MOST_LAYERS} of {len(layers)} layers." if len(layers) > MOST_LAYERS else ""
    return text + (f" Drawn are the first {MOST_SERIES} of {len(found)} networks." if len(found) > MOST_SERIES else "")


def _differences(
    between: Sequence[LayerDifferences], within: Sequence[LayerDifferences], count: int, level: float
) -> list[Picture]:
    """How layers differ between networks, between seeds of one, and by chance; nothing if no shapes are equal."""
    every = [*between, *within]
    layers = list(dict.fromkeys(layer for each in every for layer in each.layers))
    if not layers:
        return []
    panels = {
        "Kolmogorov–Smirnov distance": _series(every, "ks"),
        "cosine": _series(every, "cosine"),
    }
    caption = _said(between, within) + _shapes(between)
    if count > 1 + MOST_OTHERS:
        caption += f" Compared with the first are {MOST_OTHERS} of {count - 1} networks."
    table = [row for each in every for row in _difference_rows(each, level)]
    names = list(dict.fromkeys(name for each in between for name in (each.one, each.other)))
    title = "Weights compared by layer"
    about = "weights_differences", title, caption, records(table), {"networks": names or [each.one for each in within]}
    return [by_layers(*about, layers[:MOST_LAYERS], panels, references=(CHANCE,), table=table)]


def _name(each: LayerDifferences) -> str:
    return f"seeds of {each.one}" if each.one == each.other else f"{each.one}, {each.other}"


def _series(every: Sequence[LayerDifferences], key: str) -> dict[str, Any]:
    found = {_name(each): {layer: its[key] for layer, its in each.layers.items()} for each in every[:MOST_SERIES]}
    return found | {CHANCE: {layer: _chance(its, key) for layer, its in every[0].expected.items()}}


def _chance(its: Mapping[str, float], key: str) -> np.ndarray:
    """The mean by chance and, of the cosine, where 95 of 100 orders lie."""
    value = its.get(key, np.nan)
    half = 1.96 * its.get("deviation", np.nan) if key == "cosine" else np.nan
    return np.array([value - half, value, value + half] if np.isfinite(half) else [value])


def _said(between: Sequence[LayerDifferences], within: Sequence[LayerDifferences]) -> str:
    text = (
        "The Kolmogorov–Smirnov distance is the largest one of the two distribution functions, 0 for equal and 1 for "
        "separate distributions; the cosine compares weight by weight. Gray is what the same weights give in random "
        "order, of the cosine with 95% of all orders."
    )
    if within:
        text += " Seeds of one network say what a difference is without a change of the recipe."
    elif between:
        text += " Each network is one seed, so it is not known what another seed would give."
    is_equal = lambda each: each.layers and all((its["distance"] == 0).all() for its in each.layers.values())
    same = [_name(each) for each in between if is_equal(each) and not any(each.left)]
    return text + (f" All weights of {' and of '.join(same)} are equal." if same else "")


def _shapes(between: Sequence[LayerDifferences]) -> str:
    """Sentences on layers that were paired by shape, and on those that only one network has."""
    text = ""
    for each in between:
        if each.by_shape:
            text += f" Paired by shape: {few(each.by_shape)}."
        for name, left in zip((each.one, each.other), each.left, strict=True):
            text += f" Without a layer of the same shape, of {name}: {few(left)}." if left else ""
    return text


def _difference_rows(each: LayerDifferences, level: float) -> list[Cells]:
    """One row per layer: the mean over pairs of members, with Student's interval where the pairs share no member."""
    of = lambda values: (
        over_seeds(values, level)
        if each.are_independent and len(values) > 1 and np.isfinite(values).all()
        else float(np.mean(values))
    )
    rows = []
    for layer, its in each.layers.items():
        measures = {WORDS.get(name, name): of(values) for name, values in its.items() if name != "p"}
        expected = each.expected[layer]
        known = {"KS by chance": expected["ks"]}
        if "cosine" in expected:
            known |= {"cosine by chance": expected["cosine"], "its deviation": expected["deviation"]}
        row: Cells = {"networks": _name(each), "layer": layer, "pairs": len(its["ks"])}
        rows.append(row | measures | {"KS p": twice_the_median(its["p"].tolist())} | known)
    return rows
