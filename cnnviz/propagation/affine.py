"""A convolution or dense layer merged with the bias or BatchNorm that follows it: one kernel and one bias.

In evaluation mode BatchNorm subtracts, multiplies and adds constants. A constant that differs only between output
features goes into the kernel: (x * w - m) * s + b is x * (s w) + (b - s m).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.fast.rewrite import apply_faster
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.pointwise import is_pointwise, is_scaling
from cnnviz.graph.primitives import ELEMENTWISE
from cnnviz.types import Array

Axes = list[tuple[int, int]]  # (axis of the kernel, the same axis of the output)


@dataclass(frozen=True, eq=False)
class Affine:
    """y = multiply(x, kernel) + bias, where `multiply` is linear in both; `bias` has y's shape."""

    multiply: Callable[[Array, Array], Array]
    kernel: Array
    bias: Array

    def back(self, x: Array, kernel: Array, y: Array) -> Array:
        """The transpose of x -> multiply(x, kernel), at `y`: an array of x's shape. Only x's shape is used."""
        return jax.vjp(lambda x: self.multiply(x, kernel), x)[1](y)[0]


def following(
    graph: Graph, node: Node, operand: int, depends: Collection[Value], readers: Mapping[Value, int]
) -> list[Node]:
    """The scalings that follow a weighted node and can be folded into its weights.

    `operand` is the position of the node's input that depends on the image, `depends` holds all values that do, and
    `readers` counts how often each value is read.
    """
    features = {axis for _, axis in _features(node, operand)}
    reader = {value: each for each in graph.nodes for value in each.inputs if value in depends}
    found = [node]
    while readers[found[-1].outputs[0]] == 1 and (then := reader.get(found[-1].outputs[0])) is not None:
        scales = [v for v in then.inputs if v not in depends] if then.name in ("mul", "div", "select_n") else []
        fits = is_pointwise(then, depends) and is_scaling(then, depends)
        if not fits or any(_varies(graph, value) - features for value in scales):
            break
        found.append(then)
    return found[1:]


def merged(nodes: Sequence[Node], x: Value, array: Callable[[Value], Any]) -> Affine:
    """The kernel and bias of a weighted node that reads `x`, with the scalings that follow it folded in."""
    node, *after = nodes
    operand = node.inputs.index(x)
    y = jnp.zeros(node.outputs[0].shape, node.outputs[0].dtype)

    def scalings(y: Array) -> Array:
        known = {node.outputs[0]: y}
        for each in after:
            known[each.outputs[0]] = each.apply(*(known[v] if v in known else array(v) for v in each.inputs))[0]
        return known[nodes[-1].outputs[0]]

    bias, slope = jax.jvp(scalings, (y,), (jnp.ones_like(y),))
    multiply = lambda x, kernel: apply_faster(node, *((x, kernel) if operand == 0 else (kernel, x)))[0]
    kernel = array(node.inputs[1 - operand])
    return Affine(multiply, kernel * _along(slope, _features(node, operand), kernel.ndim), bias)


def _features(node: Node, operand: int) -> Axes:
    """The axes of the kernel that are axes of the output too; the kernel is the operand other than `operand`."""
    if node.name == "conv_general_dilated":
        image, kernel, output = node.params["dimension_numbers"]
        return [(kernel[0], output[1])] if operand == 0 else [(image[0], output[0])]
    contracted, batched = node.params["dimension_numbers"]
    free = [
        [a for a in range(len(v.shape)) if a not in (*contracted[i], *batched[i])] for i, v in enumerate(node.inputs)
    ]
    first = len(batched[0]) + (len(free[0]) if operand == 0 else 0)
    return [(axis, i) for i, axis in enumerate(batched[1 - operand])] + [
        (axis, first + i) for i, axis in enumerate(free[1 - operand])
    ]


def _along(slope: Array, axes: Axes, ndim: int) -> Array:
    """The output's slope, which differs only along these axes, as a factor of a kernel with `ndim` axes."""
    kept = sorted(axis for _, axis in axes)
    found = slope[tuple(slice(None) if axis in kept else 0 for axis in range(slope.ndim))]
    found = found.transpose([kept.index(axis) for _, axis in sorted(axes)])
    lengths = {axis: n for (axis, _), n in zip(sorted(axes), found.shape, strict=True)}
    return found.reshape([lengths.get(axis, 1) for axis in range(ndim)])


def _varies(graph: Graph, value: Value) -> set[int]:
    """The axes along which a constant may differ: not those of length 1, nor those along which it was broadcast."""
    node = graph.maker(value)
    if node is not None and node.name == "broadcast_in_dim":
        axes = node.params["broadcast_dimensions"]
        return {axes[axis] for axis in _varies(graph, node.inputs[0])}
    long = {axis for axis, n in enumerate(value.shape) if n > 1}
    if node is not None and node.name in ELEMENTWISE:
        return long & set().union(*(_varies(graph, v) for v in node.inputs))
    return long
