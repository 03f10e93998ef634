"""A score at one image as steps: the operations on values that depend on the image, with everything else constant.

A step is one node of the score's graph, or several that belong together: an activation function made of several
primitives, or a convolution or dense layer with the bias, or the BatchNorm in evaluation mode, that follows it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax.numpy as jnp

from cnnviz.fast.rewrite import apply_faster as apply
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.pointwise import (
    between,
    common,
    is_function_of_each_value,
    is_joint,
    is_nonnegative,
    is_pointwise,
    is_scaling,
    roots,
)
from cnnviz.graph.primitives import LAYERS, PRODUCTS, REDUCTIONS
from cnnviz.graph.softmax import softmax_operand
from cnnviz.propagation.affine import Affine, following, merged
from cnnviz.types import Array, Image, Score

ORDERED = {"sort", "top_k"}


@dataclass(frozen=True, eq=False)
class Step:
    """One operation on values that depend on the image; rules are looked up by its `name`.

    The name is the primitive's, except for an "activation" (an elementwise function), a "scale" (each value scaled and
    shifted by constants), a "product" (of several values that depend on the image) and, if asked for, a "softmax".
    `depth` is the number of layers
    before the step, on the longest path from the image.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    reading: "Reading"
    depth: int

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The outputs that depend on the image."""
        return tuple(value for value in self.nodes[-1].outputs if value in self.reading.depends)

    @property
    def x(self) -> tuple[Array, ...]:
        """The arrays of `inputs`."""
        return tuple(self.reading.values[value] for value in self.inputs)

    @property
    def y(self) -> tuple[Array, ...]:
        """The arrays of `outputs`."""
        return tuple(self.reading.values[value] for value in self.outputs)

    @property
    def selects(self) -> bool:
        """Whether the image decides, by an order or an index, which values this moves."""
        reached, node = self.reading.reached, self.nodes[-1]
        return node.name in ORDERED or any(v in reached for v in node.inputs if not is_differentiable(v))

    @property
    def is_complex(self) -> bool:
        """Whether the step reads or makes complex numbers."""
        return any(jnp.issubdtype(value.dtype, jnp.complexfloating) for value in (*self.inputs, *self.outputs))

    def at(self, values: Mapping[Value, Array]) -> "Step":
        """The same step with other values of the graph, those of another image."""
        return replace(self, reading=replace(self.reading, values=values))

    @property
    def place(self) -> str:
        """Where in the model this is: the modules and the functions around it."""
        return self.nodes[0].place

    @property
    def is_nonnegative(self) -> bool:
        """Whether the first input cannot be negative, as after a ReLU."""
        return is_nonnegative(self.reading.graph, self.inputs[0])

    @cached_property
    def layer(self) -> Affine:
        """The kernel and bias of a convolution or dense layer."""
        return merged(self.nodes, self.inputs[0], self.reading.array)

    def function(self, *arrays: Array) -> tuple[Array, ...]:
        """The outputs for other arrays of the shapes of `inputs`."""
        known = dict(zip(self.inputs, arrays, strict=True))
        by_place = iter(arrays if len(known) < len(arrays) else ())  # if the step's one node reads a value twice
        for node in self.nodes:
            read = [next(by_place, known[v]) if v in known else self.reading.array(v) for v in node.inputs]
            known.update(zip(node.outputs, apply(node, *read), strict=True))
        return tuple(known[value] for value in self.outputs)

    def inputs_at(self, image: Image) -> list[Array]:
        """The arrays of `inputs` for another image `[... c]`."""
        return self.reading.graph.evaluate([image], self.inputs, apply=apply)


@dataclass(frozen=True, eq=False)
class Reading:
    """The graph of a score, all its values at one image, and its steps in order of execution."""

    graph: Graph
    values: Mapping[Value, Array]
    depends: frozenset[Value]  # the real values that depend on the image, other than by masks and indices
    steps: list[Step]

    @cached_property
    def reached(self) -> frozenset[Value]:
        """All values that depend on the image, masks and indices too."""
        return frozenset(self.graph.depending())

    @property
    def score(self) -> Value:
        """The score, a scalar."""
        return self.graph.outputs[0]

    @property
    def image(self) -> Value:
        """The image `[... c]`."""
        return self.graph.inputs[0]

    def array(self, value: Value) -> Any:
        """The array of a value of the graph, at the image if it depends on it."""
        return self.values[value] if value.constant is None else value.constant


def read(score: Score, image: Image, *, softmax: bool = False) -> Reading:
    """The reading of `score` at an image `[... c]`; works inside `jax.jit` and `jax.vmap`.

    With `softmax`, each softmax is one step of that name, and otherwise several: exponentials, a sum and a quotient.
    """
    traced, _ = Graph.of(lambda image: score(image, {})[0], image, opaque=is_function_of_each_value)
    graph = Graph(traced.inputs, traced.outputs, tuple(traced.needed(traced.outputs)))
    depends = graph.depending()  # including what comes after `stop_gradient`
    reading = Reading(graph, evaluate(graph, image), frozenset(graph.depending(is_differentiable)), [])
    nodes = [node for node in graph.nodes if depends.intersection(node.outputs)]
    reading.steps.extend(_steps(reading, nodes, depends, softmax))
    return reading


def evaluate(graph: Graph, image: Image) -> dict[Value, Array]:
    """Every value of the graph at an image `[... c]`."""
    wanted = [*graph.inputs, *(value for node in graph.nodes for value in node.outputs)]
    return dict(zip(wanted, graph.evaluate([image], wanted, apply=apply), strict=True))


def is_differentiable(value: Value) -> bool:
    """Whether the value is of real or complex numbers, which have derivatives."""
    return jnp.issubdtype(value.dtype, jnp.inexact)


def _steps(reading: Reading, nodes: Sequence[Node], depends: set[Value], softmax: bool) -> list[Step]:
    """One step per node whose output is a float; nodes that belong together are one step."""
    known_roots = roots(nodes, depends)
    readers = Counter(value for node in nodes for value in node.inputs) + Counter(reading.graph.outputs)
    depths: dict[Value, int] = {}
    merged_nodes: set[Node] = set()
    steps = []
    for node in nodes:
        if node in merged_nodes or not reading.depends.intersection(node.outputs):
            continue
        operand = softmax_operand(reading.graph, node) if softmax else None
        if operand in reading.depends:
            parts, inputs = tuple(between(reading.graph, operand, node, depends)), (operand,)
        else:
            parts, inputs = _parts(reading, node, depends, known_roots, readers)
        name = _name(parts, inputs, depends)
        if name in LAYERS:
            merged_nodes.update(parts)
        depth = max((depths.get(value, 0) for value in inputs), default=0)
        steps.append(Step(name, parts, inputs, reading, depth))
        depths.update(dict.fromkeys(parts[-1].outputs, depth + (name in LAYERS)))
    return steps


def _parts(
    reading: Reading,
    node: Node,
    depends: set[Value],
    known_roots: Mapping[Value, Sequence[Value]],
    readers: Mapping[Value, int],
) -> tuple[tuple[Node, ...], tuple[Value, ...]]:
    """The nodes that are one step with this one, which is the first or the last, and the floats that the step reads."""
    read = [value for value in node.inputs if value in depends]
    inputs = tuple(value for value in node.inputs if value in reading.depends)
    if is_pointwise(node, depends) and len(read) > 1:
        root = next((value for value in common(known_roots, read) if value in reading.depends), None)
        if root is not None and is_joint(node, depends, root):
            return tuple(between(reading.graph, root, node, depends)), (root,)
    if node.name in LAYERS and len(inputs) == 1:
        return (node, *following(reading.graph, node, node.inputs.index(inputs[0]), depends, readers)), inputs
    return (node,), inputs


def _name(nodes: Sequence[Node], inputs: Sequence[Value], depends: set[Value]) -> str:
    if len(nodes) > 1 and any(node.name in REDUCTIONS for node in nodes):
        return "softmax"
    node = nodes[-1] if nodes[0].name not in LAYERS else nodes[0]
    if node.name in PRODUCTS and len(inputs) > 1:
        return "product"
    if len(inputs) == 1 and node.name not in LAYERS and is_scaling(node, depends):
        return "scale"
    return "activation" if len(inputs) == 1 and is_pointwise(node, depends) else node.name
