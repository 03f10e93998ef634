"""A function of images evaluated a few images at a time, as far as it treats each of them on its own.

What mixes images, or gains nothing by it (a dense layer), is evaluated whole. What XLA does value by value between
convolutions takes one core on CPU, so that of two pieces goes side by side: a tenth of a step over 128 images.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.primitives import ELEMENTWISE, REDUCTIONS, WINDOWS

MOST, SMALLEST = 2, 32  # pieces, and images in one
Apply = Callable[..., Sequence[Any]]  # (node, *arrays) -> its outputs


class Microbatches(list):
    """One value in equal parts along its first axis."""


def microbatch_count(count: int) -> int:
    """How many equal pieces so many images make, all of a size that is worth it; 1 where there are none."""
    return max(n for n in range(1, MOST + 1) if n == 1 or count % n == 0 and count >= n * SMALLEST)


def joined(value: Any) -> Any:
    """The whole of a value that may be in pieces."""
    return jnp.concatenate(value) if isinstance(value, Microbatches) else value


def in_microbatches(graph: Graph, small: Graph, count: int, apply: Apply) -> Apply:
    """`apply` for the nodes of `graph`, which from a convolution on goes piece by piece as far as it can.

    `small` is the graph of the same function of a `count`-th of the images: a value has images on its first axis where
    its shapes in the two differ so. Graphs that are not alike otherwise are evaluated whole.
    """
    if [node.name for node in graph.nodes] != [node.name for node in small.nodes]:
        return apply
    twins = dict(zip(graph.nodes, small.nodes, strict=True))

    def apply_in_pieces(node: Node, *arrays: Any) -> Sequence[Any]:
        twin, parted = twins[node], any(isinstance(array, Microbatches) for array in arrays)
        if parted and node.name == "reduce_sum" and 0 in node.params["axes"]:
            return [sum(twin.apply(piece)[0] for piece in arrays[0])]
        if (parted or node.name == "conv_general_dilated") and _is_apart(node, twin, count):
            cut = [_cut(*given, count) for given in zip(arrays, node.inputs, twin.inputs, strict=True)]
            outputs = [apply(twin, *piece) for piece in zip(*cut, strict=True)]
            return [Microbatches(output) for output in zip(*outputs, strict=True)]
        return apply(node, *map(joined, arrays))

    return apply_in_pieces


def _cut(array: Any, value: Value, twin: Value, count: int) -> Sequence[Any]:
    """The array for each piece: its part, or all of it where it has no images."""
    if isinstance(array, Microbatches):
        return array
    return [array] * count if value.shape == twin.shape else jnp.split(array, count)


def _is_apart(node: Node, twin: Node, count: int) -> bool:
    """Whether each image's part of all outputs is made of its part of the inputs alone."""
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
