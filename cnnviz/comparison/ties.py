"""Which axes of which variables belong to the same units of a network, found in its graph.

A hidden unit is a position of several axes at once: an output of a kernel, its bias, its statistics in a BatchNorm, an
input of the layers after it, after flattening several inputs, through a residual sum the output of another kernel.
Exchanging two units in all of them leaves the network's function unchanged. git re-basin (Ainsworth et al., 2023) has
these ties written by hand for each architecture; here they are read from any model's graph.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cnnviz import probe
from cnnviz.comparison.axes import Axis, Fixed, Split, Units
from cnnviz.comparison.walk import Walk
from cnnviz.probe.inputs import one_image, with_rows
from cnnviz.probe.trace import Trace, trace
from cnnviz.types import VariablesLike

Places = Int[np.ndarray, "_ _"]


@dataclass(frozen=True)
class Place:
    """Where units are in one variable: the positions of each along an axis, and whether its values flip with its sign.

    In the kernel of a grouped convolution they are there only in `columns` of the axis `across`.
    """

    leaf: int
    axis: int
    positions: Places
    signed: bool = True
    columns: tuple[int, ...] = ()
    across: int = -1


@dataclass(frozen=True)
class Group:
    """Units that may change places: `name` is the first layer that makes them, `layers` has their axis in each layer.

    With `odd` they may also change their sign, since everything between their layers is linear or odd, as tanh is.
    """

    name: str
    size: int
    places: tuple[Place, ...]
    layers: Mapping[str, Place]
    odd: bool = False


@dataclass(frozen=True)
class Ties:
    """The groups of units of a network, in order of execution, and the paths of its variables in `jax.tree`'s order."""

    groups: tuple[Group, ...]
    leaves: tuple[str, ...]

    def __getitem__(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)


def ties(model: Any, variables: VariablesLike, image_shape: Any) -> Ties:
    """The groups of units of a model that may change places without changing its function; nothing is computed."""
    variables = probe.as_variables(variables)
    traced = trace(model, variables, with_rows(one_image(image_shape), 2), {})
    paths = [_path(path) for path, _ in jax.tree_util.tree_leaves_with_path(variables)]
    walked = Walk(traced.graph, len(paths))
    for value in traced.outputs.values():
        for axis in walked.axes.get(value, ()):
            walked.ledger.fix(axis)
    return Ties(tuple(_groups(walked, traced, paths)), tuple(paths))


def _path(keys: Iterable[Any]) -> str:
    return "/".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in keys)


def _groups(walked: Walk, traced: Trace, paths: Sequence[str]) -> list[Group]:
    """The groups with their places, in the order in which a layer first has them."""
    ledger = walked.ledger
    classes, odd = ledger.classes(), ledger.is_odd()
    alike = ledger.groups(classes)
    number = {unit: i for i, units in enumerate(alike) for unit in units}
    rank = {unit: i for units in alike for i, unit in enumerate(sorted(units))}
    places: dict[int, list[Place]] = defaultdict(list)
    layers: dict[int, dict[str, Place]] = defaultdict(dict)
    for leaf, value in enumerate(walked.leaves):
        for axis, each in enumerate(walked.axes[value]):
            for group, place in _places(leaf, axis, each, value.shape, classes, number, rank, odd):
                places[group].append(place)
    for name, named in traced.layers.items():
        for axis, each in enumerate(walked.axes.get(named.value, ())):
            for group, place in _places(-1, axis, each, named.value.shape, classes, number, rank, odd):
                layers[group].setdefault(name, place)
    return _named(places, layers, alike, paths, list(traced.layers))


def _places(leaf, axis, each: Axis, shape, classes, number, rank, odd) -> Iterable[tuple[int, Place]]:
    """The places of groups along one axis of a variable or of a layer's value."""
    if isinstance(each, Fixed):
        return
    rows = each.atoms[None] if isinstance(each, Units) else each.atoms
    for k, atoms in enumerate(rows):
        found: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for position, unit in enumerate(classes[atoms].tolist()):
            if unit in number:
                found[number[unit]][rank[unit]].append(position)
        across = each.over if isinstance(each, Split) else -1
        width = shape[across] // len(rows) if isinstance(each, Split) else 0
        columns = tuple(range(k * width, (k + 1) * width))
        for group, units in found.items():
            positions = np.array([units[i] for i in sorted(units)])
            yield group, Place(leaf, axis, positions, bool(odd[each.parity]), columns, across)


def _named(places, layers, alike, paths: Sequence[str], order: Sequence[str]) -> list[Group]:
    """The groups, each named by the first layer that has them and whose variables make them."""
    found: list[tuple[int, Group]] = []
    for group, own in places.items():
        modules = [str(paths[place.leaf]).split("/", 1)[-1].rpartition("/")[0] for place in own]
        made = [name for name in order if name in modules and name in layers[group]] or [modules[0] or "model"]
        name, at = made[0], order.index(made[0]) if made[0] in order else len(order)
        taken = [each.name for _, each in found]
        number = next(i for i in range(1, len(taken) + 2) if (name if i == 1 else f"{name}#{i}") not in taken)
        name = name if number == 1 else f"{name}#{number}"
        is_odd = any(place.signed for place in own)
        found.append((at, Group(name, len(alike[group]), tuple(own), layers[group], is_odd)))
    return [group for _, group in sorted(found, key=lambda each: each[0])]
