"""What the pictures of a layer's units are made of: computed once, and kept in the run's folder for the next one."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from cnnviz import units
from cnnviz.batching import Report
from cnnviz.errors import InputError
from cnnviz.graph import Graph
from cnnviz.networks import Net
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.kept import Kept, digest
from cnnviz.pictures.picture import Data, Skipped, split_of
from cnnviz.pictures.predictions import class_names
from cnnviz.probe import Reader
from cnnviz.runs import inside
from cnnviz.units.layer import traced_layer
from cnnviz.units.profile import Profile, profile
from cnnviz.units.relevant import most_relevant
from cnnviz.units.saved import arrays_of, from_arrays
from cnnviz.units.summary import LayerStatistics, Top

TOP, MOST = 9, 10_000  # images with the largest values, and images of the split


@dataclass(frozen=True, eq=False)
class Numbers:
    """A layer of `count` units, the images of a data set's split that are shown to it, and their classes."""

    net: Net
    layer: str
    count: int
    sides: tuple[int, ...]
    dataset: str
    split: str
    images: np.ndarray
    labels: np.ndarray
    names: list[str]
    reader: Reader
    kept: Kept

    @classmethod
    def of(cls, asked: Any, net: Net, data: Data) -> "Numbers":
        """The layer that was asked for; raises Skipped without a data set, InputError for an unknown layer."""
        layer = last_with_maps(net) if asked.layer is None else net.layer(asked.layer).name
        shape, dataset = net.layer(layer).shape, data.of(net)
        if not shape:
            raise InputError(f"The layer {layer!r} has no channels: its value for one image is one number.")
        split = split_of(dataset, asked.split)
        count = min(MOST, affordable(net, len(split.images), 2 + shape[-1]))
        images, labels = split.images[:count], np.asarray(split.labels[:count], np.int32)
        names = class_names(net, dataset, net.class_count)
        reader = Reader(net.model, net.variables, layer, prepare=net.prepare)
        of_data = {"data": dataset.fingerprint or digest(images, labels), "split": asked.split, "images": count}
        kept = Kept(_folder(net), of_data | _described(reader, net, images), data.note)
        return cls(net, layer, shape[-1], shape[:-1], dataset.name, asked.split, images, labels, names, reader, kept)

    @property
    def shown(self) -> int:
        """How many of the images with the largest values are shown."""
        return min(TOP, len(self.images))

    def named(self, layer: str, unit: int) -> str:
        """A unit of any layer in words: its number, and of one of the output its class too, where its name is known."""
        name = self.names[unit] if layer in self._outputs and unit < len(self.names) else str(unit)
        return str(unit) if name == str(unit) else f"{unit} ({name})"

    @property
    def _outputs(self) -> list[str]:
        """The names under which the logits are known: "logits" if no layer is."""
        every = self.net.layers
        last = [one.name for one in every[-2:] if one.name == every[-1].name or every[-1].kind == "softmax"]
        return last if "logits" in [one.name for one in every] else [*last, "logits"]

    def statistics(self, report: Report | None) -> LayerStatistics:
        """The statistics of all units, with their top images."""
        options: Any = {"labels": self.labels, "k": self.shown, "prepare": self.net.prepare, "report": report}
        ask = lambda: units.statistics(self.net.model, self.net.variables, self.images, self.layer, **options)
        return self._found({"statistics": self.shown}, LayerStatistics, lambda: ask()[self.layer])

    def ablation(self, report: Report | None) -> units.Ablation:
        """What the network loses without each unit."""
        ask = partial(units.ablation, self.net.model, self.net.variables, self.images, self.labels, self.layer)
        return self._found({"ablation": "zero"}, units.Ablation, lambda: ask(prepare=self.net.prepare, report=report))

    def profile(self, report: Report | None) -> Profile:
        """What each unit does for each image."""
        return self._found({"profile": ""}, Profile, lambda: profile(self.reader, self.images, report=report))

    def relevant(self, report: Report | None) -> Top:
        """The images in which each unit is the most relevant for what is predicted."""
        ask = partial(most_relevant, self.reader, self.images, self.layer, self.sides, self.shown)
        return self._found({"relevant": self.shown}, Top, lambda: ask(report=report))

    def _found(self, what: Mapping[str, Any], kind: Any, compute: Callable[[], Any]) -> Any:
        described = {**what, "fields": [field.name for field in fields(kind)]}
        return from_arrays(kind, self.kept.get(described, lambda: arrays_of(compute())))


def last_with_maps(net: Net) -> str:
    """The last layer that is a non-linearity over maps, else the last with maps, else the last non-linearity.

    Raises Skipped for a network of one layer.
    """
    maps = [layer for layer in net.layers if len(layer.shape) == len(net.image_shape) and not layer.hands_on]
    bent = [layer.name for layer in maps if layer.bends] or [layer.name for layer in maps]
    return bent[-1] if bent else last_bend(net)


def last_bend(net: Net) -> str:
    """The last layer that is a non-linearity, else the last but one. Raises Skipped if there is one layer only."""
    layers = [layer for layer in net.layers if not layer.hands_on]
    bent = [layer.name for layer in layers if layer.bends and layer.shape] or [layer.name for layer in layers[:-1]]
    if not bent:
        raise Skipped(f"{net.name} has one layer only, its output; name it by --layer.")
    return bent[-1]


def _folder(net: Net) -> Path | None:
    """Where the numbers are kept, if the network is a run; raises InputError if that is a link."""
    if net.path is None or not net.path.is_dir():
        return None
    inside.check(folder := net.path / "units")
    return folder


def _described(reader: Reader, net: Net, images: np.ndarray) -> dict[str, Any]:
    """All that decides what a layer's units do for images, as texts: the variables, how they are used, the layer."""
    graph = traced_layer(reader, images).graph
    computed = hashlib.sha256("\n".join(_lines(graph)).encode()).hexdigest()
    about = {"cnnviz": resolve_name("cnnviz:__version__"), "layer": reader.layers, "prepare": repr(net.prepare)}
    about |= {"output": net.output} if net.output else {}
    return about | {"variables": digest(net.variables), "graph": computed}


def _lines(graph: Graph) -> Iterator[str]:
    """What the nodes compute: the class of a network may have been edited since."""
    for node in graph.nodes:
        numbers = [str(value.constant) for value in node.inputs if value.constant is not None and value.shape == ()]
        yield f"{node.name} {node.calls} {node.inputs} {node.outputs} {numbers}"
        yield from _lines(node.body) if node.body is not None else ()
