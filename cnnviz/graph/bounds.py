"""How primitives move bounds: what the least pixel that an input's elements depend on says of the output's elements.

A bound is an array of the rank of its value with a number for each element, that of the first pixel along one side of
the image, or minus that of the last one. So what unites elements takes the minimum of both. An axis along which
nothing changes has length one, whatever the value's is. NOWHERE stands for no pixel at all, as in padding.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from cnnviz.graph.graph import Node, Value
from cnnviz.graph.indexed import INDEXED, SCATTERS, untouched
from cnnviz.graph.primitives import CUMULATIVE, REDUCTIONS, WINDOWS

NOWHERE = 2**30
Bound = Shaped[np.ndarray, "..."]
Known = Callable[[Value], Any]  # the array of a value that depends on no input of the graph; None for any other
# (node, position of the input, its bound, known) -> the bound of each output, or None if it is not known
Rule = Callable[[Node, int, Bound, Known], Bound | None]


def compact(bound: Bound) -> Bound:
    """The bound with length one along every axis on which it does not change."""
    for axis in range(bound.ndim):
        first = bound.take([0], axis)
        bound = first if (bound == first).all() else bound
    return bound


def slid(
    bound: Bound,
    axis: int,
    length: int,
    size: int,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    holes: int = 1,
    dilation: int = 1,
) -> Bound:
    """The least of each window of `size` elements along an axis of `length`, with `holes - 1` holes between them."""
    if bound.shape[axis] != length:
        return bound
    line = np.moveaxis(bound, axis, 0)
    spread = np.full(((length - 1) * holes + 1, *line.shape[1:]), NOWHERE, bound.dtype)
    spread[::holes] = line
    spread = padded(spread, 0, *padding)
    count = (len(spread) - (size - 1) * dilation - 1) // stride + 1
    taps = (spread[tap * dilation :][: (count - 1) * stride + 1 : stride] for tap in range(size))
    found = np.full((count, *line.shape[1:]), NOWHERE, bound.dtype)
    for tap in taps:
        found = np.minimum(found, tap)
    return np.moveaxis(found, 0, axis)


def padded(bound: Bound, axis: int, low: int, high: int) -> Bound:
    """The bound with elements that depend on nothing before and after it; negative numbers take elements away."""
    cut = [slice(None)] * bound.ndim
    cut[axis] = slice(max(0, -low), bound.shape[axis] - max(0, -high))
    width = [(0, 0)] * bound.ndim
    width[axis] = max(0, low), max(0, high)
    return np.pad(bound[tuple(cut)], width, constant_values=NOWHERE)


def full(bound: Bound, shape: Sequence[int], axes: Sequence[int]) -> Bound:
    """The bound with its value's length along these axes."""
    return np.broadcast_to(bound, [shape[a] if a in axes else n for a, n in enumerate(bound.shape)])


def _convolution(node: Node, operand: int, bound: Bound, known: Known) -> Bound | None:
    p = node.params
    if operand != 0 or p["batch_group_count"] != 1:
        return None
    image, kernel, output = p["dimension_numbers"]
    found = _over_channels(bound.transpose(image), p["feature_group_count"], node.outputs[0].shape[output[1]])
    for i, axis in enumerate(image[2:]):
        options = p["window_strides"][i], p["padding"][i], p["lhs_dilation"][i], p["rhs_dilation"][i]
        found = slid(found, 2 + i, node.inputs[0].shape[axis], node.inputs[1].shape[kernel[2 + i]], *options)
    return found.transpose(np.argsort(output))


def _over_channels(bound: Bound, groups: int, channels: int) -> Bound:
    """A bound `[n, c, ...]` united over the channels of each group."""
    if groups == 1 or bound.shape[1] == 1:
        return bound.min(1, keepdims=True)
    n, c, *sides = bound.shape
    return bound.reshape(n, groups, c // groups, *sides).min(2).repeat(channels // groups, axis=1)


def _pooling(node: Node, operand: int, bound: Bound, known: Known) -> Bound | None:
    p, shape = node.params, node.inputs[operand].shape
    if operand >= len(node.outputs):
        return None
    ones = [1] * len(shape)
    holes, dilation = p.get("base_dilation", ones), p.get("window_dilation", ones)
    for axis, size in enumerate(p["window_dimensions"]):
        options = p["window_strides"][axis], p["padding"][axis], holes[axis], dilation[axis]
        bound = slid(bound, axis, shape[axis], size, *options)
    return bound


def _reduction(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    return bound.min(tuple(node.params["axes"]))


def _cumulative(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    axis, turned = node.params["axis"], node.params.get("reverse", False)
    line = np.flip(bound, axis) if turned else bound
    found = np.minimum.accumulate(line, axis)
    return np.flip(found, axis) if turned else found


def _along(parameter: str) -> Rule:
    """The rule of a primitive that mixes the values along the axis that it has as this parameter."""
    return lambda node, operand, bound, known: bound.min(node.params[parameter], keepdims=True)


def _top(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    return bound.min(node.params.get("axis", -1), keepdims=True)


def _transform(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    """A Fourier transform mixes its last axes."""
    count = len(node.params["fft_lengths"])
    return bound.min(tuple(range(bound.ndim - count, bound.ndim)), keepdims=True)


def _broadcast(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    axes = node.params["broadcast_dimensions"]
    shape = [1] * len(node.outputs[0].shape)
    for axis, n in zip(axes, bound.shape, strict=True):
        shape[axis] = n
    return bound.reshape(shape)


def _reshape(node: Node, operand: int, bound: Bound, known: Known) -> Bound | None:
    if node.params.get("dimensions") is not None:
        return None
    before, after, shape = node.inputs[operand].shape, node.outputs[0].shape, []
    for own, new in _groups(before, after):
        changes = any(bound.shape[axis] > 1 for axis in own)
        shape += [after[axis] if changes else 1 for axis in new]
        bound = full(bound, before, own) if changes else bound
    return bound.reshape(shape)


def _groups(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[range, range]]:
    """The smallest runs of axes that have the same elements before and after."""
    i = j = 0
    while i < len(before) or j < len(after):
        first, start = i, j
        p, q = (before[i] if i < len(before) else 1), (after[j] if j < len(after) else 1)
        i, j = min(i + 1, len(before)), min(j + 1, len(after))
        while p != q:
            if p < q:
                p, i = p * before[i], i + 1
            else:
                q, j = q * after[j], j + 1
        yield range(first, i), range(start, j)


def _squeeze(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    return bound.squeeze(tuple(node.params["dimensions"]))


def _transpose(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    return bound.transpose(node.params["permutation"])


def _reverse(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    return np.flip(bound, tuple(node.params["dimensions"]))


def _tile(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    return np.tile(bound, [times if n > 1 else 1 for times, n in zip(node.params["reps"], bound.shape, strict=True)])


def _slice(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    p = node.params
    steps = p["strides"] or [1] * bound.ndim
    cut = [slice(*each) for each in zip(p["start_indices"], p["limit_indices"], steps, strict=True)]
    return bound[tuple(each if n > 1 else slice(None) for each, n in zip(cut, bound.shape, strict=True))]


def _padding(node: Node, operand: int, bound: Bound, known: Known) -> Bound | None:
    if operand != 0:
        return None
    shape = node.inputs[0].shape
    for axis, (low, high, interior) in enumerate(node.params["padding_config"]):
        if (low, high, interior) != (0, 0, 0):
            bound = full(bound, shape, [axis])
            bound = slid(bound, axis, shape[axis], 1, 1, (int(low), int(high)), int(interior) + 1)
    return compact(bound)


def _dot(node: Node, operand: int, bound: Bound, known: Known) -> Bound:
    contracted, batched = node.params["dimension_numbers"]
    own, batch, other = contracted[operand], batched[operand], node.inputs[1 - operand]
    free = [a for a in range(bound.ndim) if a not in (*own, *batch)]
    others = [a for a in range(len(other.shape)) if a not in (*contracted[1 - operand], *batched[1 - operand])]
    weights = known(other) if len(own) == 1 and not batch and bound.shape[own[0]] > 1 else None
    if weights is None:
        found = bound.transpose(*batch, *free, *own).min(tuple(range(len(batch) + len(free), bound.ndim)))
        found = found.reshape(*found.shape, *[1] * len(others))
    else:  # as in resizing an image, where each row has few weights
        read = weights.transpose(*others, contracted[1 - operand][0]) != 0
        line = bound.transpose(*free, *own)
        line = line.reshape(*line.shape[:-1], *[1] * len(others), line.shape[-1])
        found = np.where(read, line, NOWHERE).min(-1)
    if operand == 1:  # the axes of the first operand come first
        b, f = len(batch), len(free)
        found = found.transpose(*range(b), *range(b + f, found.ndim), *range(b, b + f))
    return found


def _indexed(node: Node, operand: int, bound: Bound, known: Known) -> Bound | None:
    """Indices that depend on nothing move the bound as they move the value; any others may be those of any place."""
    if operand != 0 or (others := arrays_beside(node, known)) is None:
        return _at_any_place(node, operand, bound)
    if node.name in SCATTERS or node.name == "dynamic_update_slice":
        return bound
    shape = node.inputs[0].shape
    moved = np.asarray(node.apply(full(bound, shape, range(len(shape))).astype(np.float32), *others)[0])
    return compact(np.nan_to_num(moved, nan=NOWHERE).astype(np.int32))


def arrays_beside(node: Node, known: Known) -> list[Any] | None:
    """The arrays of a node's other inputs than the first; None if one of them is not known."""
    others = [known(value) for value in node.inputs[1:]]
    return None if any(other is None for other in others) else others


def _at_any_place(node: Node, operand: int, bound: Bound) -> Bound:
    kept = untouched(node, operand)
    found = bound.min(tuple(axis for axis in range(bound.ndim) if axis not in kept), keepdims=True)
    order = sorted(kept, key=kept.__getitem__)
    shape = [1] * len(node.outputs[0].shape)
    for axis in order:
        shape[kept[axis]] = found.shape[axis]
    others = [axis for axis in range(bound.ndim) if axis not in kept]
    return found.transpose(*order, *others).reshape(shape)


RULES: dict[str, Rule] = {
    "conv_general_dilated": _convolution,
    **dict.fromkeys(WINDOWS, _pooling),
    **dict.fromkeys(REDUCTIONS, _reduction),
    **dict.fromkeys(CUMULATIVE, _cumulative),
    "sort": _along("dimension"),
    "top_k": _top,
    "fft": _transform,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "rev": _reverse,
    "tile": _tile,
    "slice": _slice,
    "pad": _padding,
    "dot_general": _dot,
    **dict.fromkeys([*INDEXED, *SCATTERS], _indexed),
}
