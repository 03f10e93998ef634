"""Arrays of a graph that depend on no input, such as the weights of a resize, and which places they read."""

from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Shaped

from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.windows import Window

LARGEST = 10_000_000  # numbers of an array that is looked at


def held(graph: Graph, value: Value) -> Shaped[np.ndarray, "..."] | None:
    """The array that a value is whatever the inputs are; None if it depends on them, or is large."""
    if np.prod(value.shape, dtype=float) > LARGEST:
        return None
    array = graph.held(value)
    return None if array is None else np.asarray(array)


def through_constants(graph: Graph, node: Node, operand: int, window: Window) -> Window | None:
    """The window after a product with a constant matrix, or after constant indices are taken, along its axis.

    So images are resized. None for any other product or indices, which may read the entire side.
    """
    found = READ_BY[node.name](graph, node, operand, window.axis)
    if found is None:
        return None
    axis, used = found
    reads = np.flatnonzero(used.any(0))
    if not len(reads):
        return None
    firsts, lasts = used.argmax(0), len(used) - 1 - used[::-1].argmax(0)
    moves = set(np.diff(firsts).tolist())
    step = Fraction(max(moves)) if len(moves) == 1 and min(moves) > 0 else Fraction(*used.shape)
    first = min(Fraction(int(firsts[i])) - step * int(i) for i in reads)
    last = max(Fraction(int(lasts[i])) - step * int(i) for i in reads)
    most = max(int(lasts[i] - firsts[i]) for i in reads)
    return window.through(axis, step, first, last, last - first - most)


Reads = tuple[int, Bool[np.ndarray, "read made"]] | None  # the axis that is made, and which indices each one reads


def _product(graph: Graph, node: Node, operand: int, axis: int) -> Reads:
    (contracted, batched), other = node.params["dimension_numbers"], 1 - operand
    if contracted[operand] != (axis,) or batched[0] or len(node.inputs[other].shape) != len(("read", "made")):
        return None
    if (matrix := held(graph, node.inputs[other])) is None:
        return None
    before = len(node.inputs[0].shape) - 1 if other == 1 else 0  # the axes of the first factor come first
    return before, (matrix if contracted[other] == (0,) else matrix.T) != 0


def _taken(graph: Graph, node: Node, operand: int, axis: int) -> Reads:
    numbers, (values, indices) = node.params["dimension_numbers"], node.inputs
    if len(indices.shape) == 1:
        return _gathered_slice(graph, node, operand, axis)
    others = tuple(length if i != axis else 1 for i, length in enumerate(values.shape))
    is_along = numbers.start_index_map == numbers.collapsed_slice_dims == (axis,)
    if operand != 0 or not is_along or node.params["slice_sizes"] != others or len(indices.shape) != len(("made", "")):
        return None
    if (found := held(graph, indices)) is None:
        return None
    made = next(i for i in range(len(values.shape)) if i not in numbers.offset_dims)
    places = found[:, 0].clip(0, values.shape[axis] - 1)
    return made, np.arange(values.shape[axis])[:, None] == places[None]


def _gathered_slice(graph: Graph, node: Node, operand: int, axis: int) -> Reads:
    """Of a gather with one index, which `jax.vmap` makes of a slice."""
    numbers = node.params["dimension_numbers"]
    kept = [a for a in range(len(node.inputs[0].shape)) if a not in numbers.collapsed_slice_dims]
    if operand != 0 or axis not in numbers.start_index_map or axis not in kept:
        return None
    if (found := held(graph, node.inputs[1])) is None:
        return None
    start = int(found[numbers.start_index_map.index(axis)])
    return int(numbers.offset_dims[kept.index(axis)]), _slice_of(node, axis, start)


def _slice(graph: Graph, node: Node, operand: int, axis: int) -> Reads:
    start = held(graph, node.inputs[1 + axis]) if operand == 0 else None
    return None if start is None else (axis, _slice_of(node, axis, int(start)))


def _slice_of(node: Node, axis: int, start: int) -> Bool[np.ndarray, "read made"]:
    """Which indices a slice reads, which starts where all of it is inside."""
    length, size = node.inputs[0].shape[axis], node.params["slice_sizes"][axis]
    first = min(max(start, 0), length - size)
    return np.eye(length, dtype=bool)[:, first : first + size]


READ_BY = {"dot_general": _product, "gather": _taken, "dynamic_slice": _slice}
