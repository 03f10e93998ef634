"""What a page says of units beyond their statistics: what is lost without them, and the nearest ones elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from cnnviz.comparison.features import features
from cnnviz.networks import Net
from cnnviz.pictures.picture import Data, Skipped
from cnnviz.pictures.unit_numbers import Numbers
from cnnviz.probe import Reader
from cnnviz.report.payload import rounded

WIDEST = 2048  # units of a layer that are compared with those of another network
NEAREST = 3


@dataclass(frozen=True)
class _Asked:
    layer: str
    split: str = "test"


def ablations(net: Net, data: Data) -> dict[str, Any]:
    """By layer, what `units.ablation` has found of each unit and class, where a command has left it in the run."""
    folder = None if net.path is None else net.path / "units"
    if folder is None or not folder.is_dir() or not any(folder.glob("*.npz")):
        return {}
    found = {}
    for layer in net.layers:
        if layer.shape and not layer.repeats and (own := _ablation(net, layer.name, data)) is not None:
            found[layer.name] = {"images": own[0], "classes": rounded(np.nan_to_num(own[1]))}
    return found


def _ablation(net: Net, layer: str, data: Data) -> tuple[int, np.ndarray] | None:
    try:
        numbers = Numbers.of(_Asked(layer), net, data)
    except Skipped:
        return None
    path = numbers.kept.path({"ablation": "zero"})
    if path is None or not path.is_file():
        return None
    return len(numbers.images), np.asarray(numbers.ablation(None).class_accuracy_lost)


def nearest(nets: Sequence[Net], images: UInt8[np.ndarray, "n ..."]) -> list[dict[str, Any]]:
    """For each network by layer and unit, the units of the others that respond most alike.

    Alike is the correlation over the images of two units' means over places; a unit that does not vary has none.
    """
    found: list[dict[str, Any]] = [{} for _ in nets]
    if len(nets) < 2 or len(images) < 2:
        return found
    responses = [_responses(net, images) for net in nets]
    for i, own in enumerate(responses):
        for layer, values in own.items():
            found[i][layer] = [[] for _ in range(values.shape[1])]
            for j in range(len(nets)):
                if j != i:
                    _add_nearest(found[i][layer], values, j, responses[j])
    return found


def _add_nearest(rows: list[list[Any]], values: np.ndarray, network: int, other: dict[str, np.ndarray]) -> None:
    names = [(layer, unit) for layer, each in other.items() for unit in range(each.shape[1])]
    if not names:
        return
    alike = values.T @ np.concatenate(list(other.values()), 1)
    for row, own in zip(rows, alike, strict=True):
        for place in np.argsort(-own, kind="stable")[:NEAREST]:
            if own[place] > 0:
                layer, unit = names[place]
                correlation = round(float(own[place]), 4)
                row.append({"network": network, "layer": layer, "unit": unit, "correlation": correlation})


def _responses(net: Net, images: np.ndarray) -> dict[str, Float[np.ndarray, "n units"]]:
    """Each unit's mean over places for each image, centered and of length one."""
    names = [layer.name for layer in net.layers if layer.shape and not layer.repeats and layer.shape[-1] <= WIDEST]
    means = features({"": Reader(net.model, net.variables, names, prepare=net.prepare)}, images)[""]
    centered = {name: values - values.mean(0) for name, values in means.items()}
    lengths = {name: np.linalg.norm(values, axis=0) for name, values in centered.items()}
    return {
        name: np.divide(values, lengths[name], out=np.zeros_like(values), where=lengths[name] > 1e-6)
        for name, values in centered.items()
    }
