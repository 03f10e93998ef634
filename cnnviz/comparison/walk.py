"""One walk through a network's graph that notes the axes of every value, and what is said of their units."""

from collections.abc import Sequence

import jax
import numpy as np

from cnnviz.comparison.axes import Axes, Fixed, Ledger, Split, constant, distinct
from cnnviz.comparison.axes_convolved import convolution
from cnnviz.comparison.axis_moves import Step, unknown
from cnnviz.comparison.axis_rules import RULES
from cnnviz.graph import Graph, Value
from cnnviz.graph.primitives import IDENTITIES

TABLE = {**RULES, "conv_general_dilated": convolution}


class Walk:
    """The axes of every value of a graph whose first inputs are variables, and what is said of their units."""

    def __init__(self, graph: Graph, count: int):
        self.ledger, self.axes = Ledger(), {}
        self.leaves = graph.inputs[:count]
        self.depends = set(graph.inputs[count:])
        grouped = _grouped_kernels(graph, self.leaves)
        for value in graph.inputs:
            self.axes[value] = tuple(map(distinct, value.shape))
        for value in self.leaves:
            self.axes[value] = tuple(self.ledger.units(n) if n > 1 else constant(n) for n in value.shape)
        for value, (inputs, outputs, groups) in grouped.items():
            atoms = self.ledger.units(groups * value.shape[inputs])
            split = Split(atoms.atoms.reshape(groups, -1), atoms.parity, outputs)
            self.axes[value] = tuple(split if i == inputs else axis for i, axis in enumerate(self.axes[value]))
        self.through(graph)

    def through(self, graph: Graph) -> None:
        """Note the axes of all values that the nodes make."""
        for node in graph.nodes:
            if self.depends.intersection(node.inputs):
                self.depends.update(node.outputs)
            given = [self.read(value) for value in node.inputs]
            if (body := node.body) is not None:
                found = self.inside(body, node.inputs, given)
            else:
                found = TABLE.get(node.name, unknown)(Step(self.ledger, node, given, self.depends))
            self.axes.update(zip(node.outputs, found, strict=True))

    def inside(self, body: Graph, values: Sequence[Value], given: Sequence[Axes]) -> list[Axes]:
        """The axes of the outputs of a custom call."""
        for value, outer, axes in zip(body.inputs, values, given, strict=True):
            self.axes[value] = axes
            if outer in self.depends:
                self.depends.add(value)
        self.through(body)
        return [self.read(value) for value in body.outputs]

    def read(self, value: Value) -> Axes:
        """The axes of a value; of a constant, positions at which it is equal are not told apart."""
        return self.axes[value] if value in self.axes else _of_constant(value)


def _of_constant(value: Value) -> Axes:
    try:
        held = np.asarray(value.constant)
        rows = [np.moveaxis(held, i, 0).reshape(n, -1) for i, n in enumerate(held.shape)]
        return tuple(Fixed(np.unique(each, axis=0, return_inverse=True)[1].reshape(-1)) for each in rows)
    except (TypeError, jax.errors.TracerArrayConversionError):  # random keys, and what is only known when it runs
        return tuple(map(distinct, value.shape))


def _grouped_kernels(graph: Graph, leaves: Sequence[Value]) -> dict[Value, tuple[int, int, int]]:
    """Variables that are kernels of grouped convolutions: the axes of their inputs and outputs, and the groups."""
    found = {}
    for node in graph.nodes:
        if node.name != "conv_general_dilated" or (groups := node.params["feature_group_count"]) == 1:
            continue
        outputs, inputs, *_ = node.params["dimension_numbers"][1]
        value = node.inputs[1]
        while (maker := graph.maker(value)) is not None and maker.name in IDENTITIES:
            value = maker.inputs[0]
        if value in leaves and value.shape[inputs] > 1:
            found[value] = inputs, outputs, groups
    return found
