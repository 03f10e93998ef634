"""What primitives that move values do with the axes of their inputs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnviz.comparison.axes import Axes, Axis, Fixed, Ledger, Split, Units, constant, distinct, is_constant
from cnnviz.comparison.reshaped import reshaped
from cnnviz.graph import Node, Value


@dataclass(frozen=True)
class Step:
    """One node with the axes of its inputs; `depends` are the values that depend on the images."""

    ledger: Ledger
    node: Node
    given: Sequence[Axes]
    depends: Collection[Value]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first output."""
        return self.node.outputs[0].shape

    @property
    def params(self) -> Mapping[str, Any]:
        """The primitive's parameters."""
        return self.node.params


def unknown(step: Step) -> list[Axes]:
    """Every position is told apart: nothing is known of the primitive."""
    for axes in step.given:
        for axis in axes:
            step.ledger.fix(axis)
    return [tuple(map(distinct, value.shape)) for value in step.node.outputs]


def rearranged(ledger: Ledger, axes: Axes, places: Sequence[int]) -> Axes:
    """The axes at these places, of which a split one must find its outer axis again."""
    found = []
    for i in places:
        axis = axes[i]
        if isinstance(axis, Split):
            axis = replace(axis, over=places.index(axis.over)) if axis.over in places else ledger.fix(axis)
        found.append(axis)
    return tuple(found)


def transpose(step: Step) -> list[Axes]:
    """The axes in another order."""
    return [rearranged(step.ledger, step.given[0], list(step.params["permutation"]))]


def reshape(step: Step) -> list[Axes]:
    """The axes after `reshape` or `squeeze`."""
    return [reshaped(step.ledger, step.given[0], step.node.inputs[0].shape, step.shape)]


def broadcast(step: Step) -> list[Axes]:
    """The axes at their new places; nothing changes along the new ones."""
    axes, places = step.given[0], list(step.params["broadcast_dimensions"])
    found: list[Axis] = [constant(n) for n in step.shape]
    for axis, place, size in zip(axes, places, step.node.inputs[0].shape, strict=True):
        if size == step.shape[place]:
            found[place] = replace(axis, over=places[axis.over]) if isinstance(axis, Split) else axis
        else:
            step.ledger.fix(axis)
    return [tuple(found)]


def _as_units(ledger: Ledger, axis: Axis) -> Units:
    """The axis as units, of which those with the same number change places freely."""
    if isinstance(axis, Units):
        return axis
    units = ledger.units(len(axis.ids) if isinstance(axis, Fixed) else axis.atoms.shape[-1])
    ledger.even(units)
    ledger.tell_apart(units, ledger.fix(axis).ids if isinstance(axis, Split) else axis.ids)
    return units


def concatenate(step: Step) -> list[Axes]:
    """The units of all inputs one after another."""
    at = step.params["dimension"]
    along, found = [axes[at] for axes in step.given], []
    for i in range(len(step.shape)):
        if i != at:
            found.append(step.ledger.joined([axes[i] for axes in step.given]))
            for axes in step.given:
                step.ledger.same_signs(found[i], axes[i])
        elif any(isinstance(axis, Units) for axis in along):
            units = [_as_units(step.ledger, axis) for axis in along]
            for other in units[1:]:
                step.ledger.same_signs(units[0], other)
            found.append(step.ledger.made(np.concatenate([each.atoms for each in units]), units[0].parity))
        else:
            found.append(distinct(step.shape[at]))
    return [tuple(found)]


def cut(step: Step) -> list[Axes]:
    """Parts of axes: of `slice`, `split` and `dynamic_slice`."""
    axes, before = step.given[0], step.node.inputs[0].shape
    return [
        tuple(_cut(step, axis, i, before[i], value.shape[i], k) for i, axis in enumerate(axes))
        for k, value in enumerate(step.node.outputs)
    ]


def _cut(step: Step, axis: Axis, i: int, before: int, after: int, output: int) -> Axis:
    if before == after:
        return axis
    if isinstance(axis, Split) or step.node.name == "dynamic_slice":
        step.ledger.fix(axis)
        return constant(after) if is_constant(axis) else distinct(after)
    if step.node.name == "split":
        start = sum(step.params["sizes"][:output])
        part = slice(start, start + after)
    else:
        strides = step.params["strides"] or (1,) * len(step.given[0])
        part = slice(step.params["start_indices"][i], step.params["limit_indices"][i], strides[i])
    if isinstance(axis, Fixed):
        return Fixed(axis.ids[part])
    step.ledger.once.append(axis.atoms)
    return step.ledger.made(axis.atoms[part], axis.parity)


def reverse(step: Step) -> list[Axes]:
    """The axes in `dimensions` backwards."""
    turned = lambda axis: (
        Fixed(axis.ids[::-1])
        if isinstance(axis, Fixed)
        else step.ledger.made(axis.atoms[::-1], axis.parity)
        if isinstance(axis, Units)
        else step.ledger.fix(axis)
    )
    return [tuple(turned(axis) if i in step.params["dimensions"] else axis for i, axis in enumerate(step.given[0]))]


def pad(step: Step) -> list[Axes]:
    """New positions before and after the old ones, which change places freely among themselves."""
    found, zero = [], step.node.inputs[1].is_number(lambda number: number == 0)
    for axis, (low, high, inside) in zip(step.given[0], step.params["padding_config"], strict=True):
        if (low, high, inside) == (0, 0, 0):
            if not zero:
                step.ledger.even(axis)
            found.append(axis)
        elif isinstance(axis, Units) and min(low, high, inside) >= 0 == inside:
            new = step.ledger.units(int(low + high))
            step.ledger.same_signs(new, axis) if zero else step.ledger.even(axis)
            atoms = np.concatenate([new.atoms[:low], axis.atoms, new.atoms[low:]])
            found.append(step.ledger.made(atoms, axis.parity))
        else:
            step.ledger.fix(axis)
            found.append(distinct(step.shape[len(found)]))
    return [tuple(found)]
