"""Which values keep the channels of a layer apart, so that each of their elements depends on one channel alone."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.primitives import ELEMENTWISE, IDENTITIES, REDUCTIONS, RESHAPES, WINDOWS


class Place(NamedTuple):
    """Where the channels of a value are: along `axis`, whose index counts `before`, channels and `after`, in turn."""

    axis: int
    before: int
    after: int


class Channels(NamedTuple):
    """How channels lie in a value: the element at position i in memory belongs to channel `(i // stride) % size`."""

    size: int
    stride: int

    @classmethod
    def along(cls, shape: Sequence[int], axis: int) -> "Channels":
        """The channels of a value whose axis they are."""
        return cls(shape[axis], math.prod(shape[axis + 1 :]))

    def place(self, shape: Sequence[int]) -> Place | None:
        """The one axis that they are in; None if they are spread over several."""
        for axis in reversed(range(len(shape))):
            step = math.prod(shape[axis + 1 :])
            if step <= self.stride and self.stride * self.size <= step * shape[axis]:
                after = self.stride // step
                return Place(axis, shape[axis] // (after * self.size), after)
        return None

    def axis(self, shape: Sequence[int]) -> int | None:
        """The axis whose index is the channel; None if there is none."""
        place = self.place(shape)
        return place.axis if place is not None and place.before == place.after == 1 else None


def kept_apart(node: Node, known: Mapping[Value, Channels]) -> Channels | None:
    """How the channels lie in the node's outputs, if it keeps apart those of all its inputs in `known`; else None."""
    if (body := node.body) is not None:
        return _inside(body, node, known)
    inputs = [value for value in node.inputs if value in known]
    channels, output = known[inputs[0]], node.outputs[0].shape
    if node.name in ELEMENTWISE | IDENTITIES:
        alike = all(known[value] == channels and value.shape == output for value in inputs)
        return channels if alike else None
    if len(inputs) > 1 or inputs[0] is not node.inputs[0]:
        return None
    if node.name in RESHAPES:
        return channels if math.prod(inputs[0].shape) == math.prod(output) else None
    axis = channels.axis(inputs[0].shape)
    moved = None if axis is None else _moved(node, axis)
    return None if moved is None else Channels.along(output, moved)


def _inside(body: Graph, node: Node, known: Mapping[Value, Channels]) -> Channels | None:
    inside = {own: known[value] for own, value in zip(body.inputs, node.inputs, strict=True) if value in known}
    for each in body.nodes:
        if any(value in inside for value in each.inputs):
            if (found := kept_apart(each, inside)) is None:
                return None
            inside |= dict.fromkeys(each.outputs, found)
    return inside.get(body.outputs[0])


def _moved(node: Node, axis: int) -> int | None:
    """The axis of the output that this axis of the first input becomes; None if its values are not kept apart."""
    params = node.params
    if node.name in WINDOWS:
        named = ("window_dimensions", "window_strides", "base_dilation", "window_dilation")
        plain = all(params[name][axis] == 1 for name in named if name in params)
        return axis if plain and tuple(params["padding"][axis]) == (0, 0) else None
    if node.name in REDUCTIONS:
        return None if axis in params["axes"] else axis - sum(each < axis for each in params["axes"])
    if node.name == "pad":
        return axis if tuple(params["padding_config"][axis]) == (0, 0, 0) else None
    return params["permutation"].index(axis) if node.name == "transpose" else None
