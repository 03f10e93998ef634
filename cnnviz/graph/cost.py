"""What evaluating a graph takes: bytes and multiplications, from the shapes of its values alone."""

import math
from collections.abc import Iterator

from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.primitives import IDENTITIES, MOVES, REDUCTIONS, WINDOWS


def value_bytes(graph: Graph, *sources: Value) -> int:
    """The bytes of all values that depend on any of `sources`, the inside of custom calls not counted."""
    return sum(_size(value) for node in _dependent(graph, *sources) for value in node.outputs)


def layer_bytes(graph: Graph, *sources: Value) -> int:
    """The bytes of the outputs of convolutions and matrix products that depend on any of `sources`.

    A gradient needs all of these, or values as large, in memory at once.
    """
    return sum(_size(value) for node in _dependent(graph, *sources) if products_of(node) for value in node.outputs)


def products(graph: Graph, *sources: Value) -> int:
    """The multiplications of the convolutions and matrix products that depend on any of `sources`."""
    return sum(products_of(node) for node in _dependent(graph, *sources))


def flops(node: Node) -> int:
    """The arithmetic operations of a node: two for each multiplication of a convolution or matrix product.

    A reduction has one for each value that it reads, any other operation one for each value that it makes, and what
    only moves values none.
    """
    if node.body is not None:
        return sum(map(flops, node.body.nodes))
    if node.name in MOVES | IDENTITIES:
        return 0
    made = sum(math.prod(value.shape) for value in node.outputs)
    if node.name in REDUCTIONS:
        return sum(math.prod(value.shape) for value in node.inputs)
    if node.name in WINDOWS:
        return made * math.prod(node.params["window_dimensions"])
    return 2 * _products(node) or made


def _dependent(graph: Graph, *sources: Value) -> Iterator[Node]:
    live = set(sources)
    for node in graph.nodes:
        if live.intersection(node.inputs):
            live.update(node.outputs)
            yield node


def _size(value: Value) -> int:
    return math.prod(value.shape) * value.dtype.itemsize


def products_of(node: Node) -> int:
    """The multiplications of a convolution or a matrix product; 0 for other nodes."""
    size = sum(math.prod(value.shape) for value in node.outputs)
    if node.name == "conv_general_dilated":
        kernel = node.inputs[1].shape
        return size * math.prod(kernel) // kernel[node.params["dimension_numbers"].rhs_spec[0]]
    if node.name == "dot_general":
        (contracted, _), _ = node.params["dimension_numbers"]
        return size * math.prod(node.inputs[0].shape[axis] for axis in contracted)
    return 0
