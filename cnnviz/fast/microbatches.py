"""A function of a batch of images evaluated in microbatches, as far as it treats each image independently.

Elementwise work between convolutions uses one core on CPU, so two microbatches run in parallel: a training step over
128 images takes a tenth less. What mixes images, or gains nothing (a dense layer), is evaluated on the full batch.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.primitives import ELEMENTWISE, REDUCTIONS, WINDOWS

MOST, SMALLEST = 2, 32  # microbatches, and images in one
Apply = Callable[..., Sequence[Any]]  # (node, *arrays) -> its outputs


class Microbatches(list):
    """A value split into equal parts along its first axis."""


def microbatch_count(count: int) -> int:
    """Into how many microbatches to split this many images: equal ones that are large enough to gain by it, or 1."""
    return max(n for n in range(1, MOST + 1) if n == 1 or count % n == 0 and count >= n * SMALLEST)


def joined(value: Any) -> Any:
    """The array of the full batch, whether or not it is split."""
    return jnp.concatenate(value) if isinstance(value, Microbatches) else value


def in_microbatches(graph: Graph, small: Graph, count: int, apply: Apply) -> Apply:
    """`apply` for the nodes of `graph`, in `count` microbatches from a convolution on, as far as possible.

    `small` is the graph of the same function for one microbatch: a value whose first axis is `count` times as long in
    `graph` has images there. If the graphs differ in anything else, the full batch is evaluated.
    """
    if [node.name for node in graph.nodes] != [node.name for node in small.nodes]:
        return apply
    twins = dict(zip(graph.nodes, small.nodes, strict=True))

    def apply_split(node: Node, *arrays: Any) -> Sequence[Any]:
        twin, is_split = twins[node], any(isinstance(array, Microbatches) for array in arrays)
        if is_split and node.name == "reduce_sum" and 0 in node.params["axes"]:
            return [sum(twin.apply(part)[0] for part in arrays[0])]
        if (is_split or node.name == "conv_general_dilated") and _treats_images_apart(node, twin, count):
            parts = [_split(*each, count) for each in zip(arrays, node.inputs, twin.inputs, strict=True)]
            outputs = [apply(twin, *microbatch) for microbatch in zip(*parts, strict=True)]
            return [Microbatches(output) for output in zip(*outputs, strict=True)]
        return apply(node, *map(joined, arrays))

    return apply_split


def _split(array: Any, value: Value, twin: Value, count: int) -> Sequence[Any]:
    """The array for each microbatch: its part, or all of it if it has no axis of images."""
    if isinstance(array, Microbatches):
        return array
    return [array] * count if value.shape == twin.shape else jnp.split(array, count)


def _treats_images_apart(node: Node, twin: Node, count: int) -> bool:
    """Whether each image's part of every output depends only on its part of the inputs."""
    has_images = lambda value, other: other.shape != () and value.shape == (count * other.shape[0], *other.shape[1:])
    fits = lambda value, other: value.shape == other.shape or has_images(value, other)
    if not all(map(has_images, node.outputs, twin.outputs)) or not all(map(fits, node.inputs, twin.inputs)):
        return False
    params = node.params
    match node.name:
        case "conv_general_dilated":
            layout, groups = params["dimension_numbers"], params["batch_group_count"]
            first = layout.lhs_spec[0] == layout.out_spec[0] == 0
            return first and groups == 1 and node.inputs[1].shape == twin.inputs[1].shape
        case name if name in WINDOWS:
            return params["window_dimensions"][0] == params["window_strides"][0] == 1
        case name if name in REDUCTIONS:
            return 0 not in params["axes"]
        case _:
            return _is_elementwise(node, twin)


def _is_elementwise(node: Node, twin: Node) -> bool:
    """Whether the node is the same function of single numbers for any number of images."""
    if node.name == "custom_jvp_call" and node.body and twin.body:
        pairs = list(zip(node.body.nodes, twin.body.nodes, strict=True))
        constants = lambda inner: [str(value.constant) for value in inner.inputs]
        return all(_is_elementwise(*pair) and constants(pair[0]) == constants(pair[1]) for pair in pairs)
    return node.name in ELEMENTWISE and node.params == twin.params
