"""What the page computes with and shows: networks with their checkpoints, images to choose from, and statistics."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from cnnviz.networks import Net
from cnnviz.pictures.steps import evenly
from cnnviz.report.graph_json import Program, program
from cnnviz.types import Variables

FOLDED = 60  # layers from which on the strip shows only the outermost ones
POOL = 1_500_000  # bytes of images that patches are cut from


@dataclass(frozen=True)
class Step:
    """A checkpoint: its name and its variables."""

    name: str
    variables: Variables


@dataclass(frozen=True)
class Shown:
    """A network in the page, with the checkpoints that are kept and statistics by layer (`statistics`).

    `ablation` and `nearest` are what `report.units` says of units, by layer, and `methods` what `report.methods` says.
    """

    net: Net
    steps: Sequence[Step] = ()
    statistics: Mapping[str, Any] = field(default_factory=dict)
    ablation: Mapping[str, Any] = field(default_factory=dict)
    nearest: Mapping[str, Any] = field(default_factory=dict)
    methods: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "program", program(self.net))

    program: Program = field(init=False)

    def described(self, kind: str, kind_of_steps: str | None, most_steps: int) -> dict[str, Any]:
        """The network as JSON values; weights as `kind`, those of `most_steps` as `kind_of_steps` or not at all."""
        net, steps = self.net, [Step("best" if self.steps else "", self.net.variables)]
        found: dict[str, Any] = {"name": net.name, "title": net.title, "classes": list(net.classes)}
        found |= {"graph": self.program.graph, "missing": list(self.program.missing), "history": _records(net.history)}
        found["layers"] = [_layer(layer) for layer in net.layers]
        found |= {"statistics": dict(self.statistics), "ablation": dict(self.ablation), "nearest": dict(self.nearest)}
        found |= {
            "methods": dict(self.methods),
            "where": "" if net.path is None else str(net.path),
            "dataset": net.dataset,
        }
        found["isFolded"] = len(net.layers) > FOLDED
        if self.program.graph is not None:
            found["parameters"] = self._parameters()
            found["steps"] = [self._step(step, kind) for step in steps]
            if kind_of_steps is not None:
                kept = [self.steps[i] for i in evenly(len(self.steps), most_steps)]
                found["steps"] += [self._step(step, kind_of_steps) for step in kept]
        return found

    def _step(self, step: Step, kind: str) -> dict[str, Any]:
        blob = self.program.weights(step.variables, kind)
        return {"name": step.name, "kind": kind, "entries": blob.entries, "bytes": encoded(blob.data)}

    def _parameters(self) -> dict[str, int]:
        """The values of the graph that are variables, by their paths without the collection: conv1/kernel."""
        graph: Any = self.program.graph
        paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(self.net.variables)]
        names = ["/".join(str(getattr(key, "key", key)) for key in path[1:]) for path in paths]
        return {names[leaf]: value for leaf, value in zip(self.program.leaves, graph["weights"], strict=True)}


def encoded(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode()


def shelf(images: np.ndarray, titles: Sequence[str], labels: Sequence[int | None]) -> list[dict[str, Any]]:
    """Images to choose from: uint8 pixels `[n h w c]`, with a title and a class each."""
    rows = zip(images, titles, labels, strict=True)
    return [
        {"pixels": encoded(np.ascontiguousarray(image).tobytes()), "title": title, "label": label}
        for image, title, label in rows
    ]


def statistics(found: Mapping[str, Any], images: np.ndarray) -> tuple[dict[str, Any], dict[str, str]]:
    """Statistics of `units.statistics` as JSON values, and the images that its patches are of, by their numbers.

    The images are left out if they are more than POOL bytes.
    """
    shown = sorted({int(i) for each in found.values() if each.top is not None for i in each.top.images.ravel()})
    fits = len(shown) * images[0].nbytes <= POOL
    pool = {str(i): encoded(np.ascontiguousarray(images[i]).tobytes()) for i in shown} if fits else {}
    return {name: _statistics(each, fits) for name, each in found.items()}, pool


def _statistics(each: Any, has_top: bool) -> dict[str, Any]:
    found = {"images": each.images, "dead": np.flatnonzero(each.dead).tolist(), "mean": rounded(each.mean)}
    if each.class_means is not None:
        found["classMeans"] = rounded(np.nan_to_num(each.class_means.T))
    if has_top and each.top is not None:
        top = each.top
        found["top"] = {"images": top.images.T.tolist(), "values": rounded(top.values.T)}
        found["top"]["places"] = np.moveaxis(top.places, 0, 1).tolist()
    return found


def rounded(values: Any) -> list[Any]:
    """Numbers with six significant digits."""
    array = np.asarray(values, np.float64)
    flat = [float(f"{value:.6g}") for value in array.ravel()]
    return np.reshape(np.array(flat), array.shape).tolist()


def _layer(layer: Any) -> dict[str, Any]:
    field_of = layer.receptive_field
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.shape),
        "parameters": layer.parameters,
        "receptiveField": None if field_of is None else list(field_of),
        "repeats": layer.repeats,
    }


def _records(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The numbers of each epoch that are finite."""
    number = lambda value: isinstance(value, int | float) and np.isfinite(value)
    return [{name: value for name, value in record.items() if number(value)} for record in history]
