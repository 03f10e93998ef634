"""Primitives that take or put values at places given by indices: which axes they leave as they are."""

from collections.abc import Mapping, Sequence

from cnnviz.graph.graph import Node

INDEXED = ("gather", "dynamic_slice", "dynamic_update_slice")
SCATTERS = ("scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-max", "scatter-min")


def untouched(node: Node, operand: int) -> Mapping[int, int]:
    """Axes of an operand, and those of the output whose index i depends on its index i alone, whatever the indices are.

    An axis that is taken or put as a whole is one: a start other than 0 would be beyond it, where JAX clamps or fills.
    """
    if node.name in SCATTERS:
        return _scattered(node, operand)
    return {"gather": _gathered, "dynamic_slice": _sliced, "dynamic_update_slice": _updated}[node.name](node, operand)


def _whole(sizes: Sequence[int], shape: Sequence[int]) -> list[int]:
    """The axes of this shape that a slice of these sizes takes completely."""
    return [axis for axis, (size, length) in enumerate(zip(sizes, shape, strict=True)) if size == length]


def _gathered(node: Node, operand: int) -> Mapping[int, int]:
    numbers, shape = node.params["dimension_numbers"], node.inputs[0].shape
    mapped = [axis for axis in range(len(node.outputs[0].shape)) if axis not in numbers.offset_dims]
    if operand == 1:
        return dict(enumerate(mapped))  # the last axis of the indices has the parts of one index
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    offsets = dict(zip([axis for axis in range(len(shape)) if axis not in gone], numbers.offset_dims, strict=True))
    kept = {axis: int(offsets[axis]) for axis in _whole(node.params["slice_sizes"], shape) if axis in offsets}
    pairs = zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
    return kept | {axis: mapped[of_indices] for axis, of_indices in pairs}


def _sliced(node: Node, operand: int) -> Mapping[int, int]:
    whole = _whole(node.params["slice_sizes"], node.inputs[0].shape) if operand == 0 else []
    return {axis: axis for axis in whole}


def _updated(node: Node, operand: int) -> Mapping[int, int]:
    shape = node.inputs[0].shape
    whole = _whole(node.inputs[operand].shape, shape) if operand < 2 else []  # then come the starts
    return {axis: axis for axis in whole}


def _scattered(node: Node, operand: int) -> Mapping[int, int]:
    numbers, (values, _, updates) = node.params["dimension_numbers"], node.inputs
    if operand == 0:
        return {axis: axis for axis in range(len(values.shape))}
    pairs = dict(zip(numbers.scatter_indices_batching_dims, numbers.operand_batching_dims, strict=True))
    if operand == 1:
        return pairs
    gone = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    inside = zip(numbers.update_window_dims, [a for a in range(len(values.shape)) if a not in gone], strict=True)
    kept = {int(own): axis for own, axis in inside if updates.shape[own] == values.shape[axis]}
    placed = [axis for axis in range(len(updates.shape)) if axis not in numbers.update_window_dims]
    return kept | {placed[of_indices]: axis for of_indices, axis in pairs.items()}
