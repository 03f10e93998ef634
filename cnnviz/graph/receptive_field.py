"""Receptive fields, read from the graph: which pixels of the image a value can depend on, through any branches.

Along each side of the image, the value at index i of some axis depends on the pixels `stride*i + low` to
`stride*i + high`: a window. Convolutions and pooling widen windows, and residual sums and concatenations unite them.
Flattened values keep the size of their windows until they are summed over the axis that they were joined in. A resize,
by a constant matrix or constant indices, reads what these say. Any other sum over the axis depends on the entire side,
and so does an unknown primitive, so a receptive field is never reported too small.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor

from cnnviz.graph.constants import READ_BY, through_constants
from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.primitives import ELEMENTWISE, IDENTITIES, MOVES
from cnnviz.graph.windows import RULES, Rule, Scattered, Window

Side = Window | Scattered | None  # None is the entire side of the image
Windows = tuple[Side, ...]


def receptive_fields(graph: Graph, image: Value, sides: Sequence[int]) -> dict[Value, tuple[int, ...]]:
    """For each value that depends on the image, how many pixels it can depend on along each side.

    `sides` are the sides' axes of the input `image`, the vertical and horizontal one for a picture.
    """
    lengths = [image.shape[axis] for axis in sides]
    found = side_windows(graph, image, sides)
    return {value: tuple(map(_pixels, windows, lengths)) for value, windows in found.items()}


def side_axes(graph: Graph, image: Value, sides: Sequence[int]) -> dict[Value, tuple[int | None, ...]]:
    """For each value that depends on the image, its axis along each side; None for a side that it has lost."""
    axis = lambda window: window.axis if isinstance(window, Window) else None
    return {value: tuple(map(axis, windows)) for value, windows in side_windows(graph, image, sides).items()}


def side_windows(graph: Graph, image: Value, sides: Sequence[int]) -> dict[Value, Windows]:
    """For each value that depends on the image, its window along each side."""
    return _propagate(graph, {image: tuple(Window(axis) for axis in sides)})


def _pixels(side: Side, length: int) -> int:
    if side is None:
        return length
    return min(length, int(floor(side.reach)) + 1)


def _propagate(graph: Graph, windows: dict[Value, Windows]) -> dict[Value, Windows]:
    windows = dict(windows)
    for node in graph.nodes:
        if any(value in windows for value in node.inputs):
            windows.update(_outputs(graph, node, windows))
    return windows


def _outputs(graph: Graph, node: Node, windows: dict[Value, Windows]) -> dict[Value, Windows]:
    if (body := node.body) is not None:
        seen = {
            inside: windows[value] for inside, value in zip(body.inputs, node.inputs, strict=True) if value in windows
        }
        inner = _propagate(body, seen)
        return {
            value: inner[inside] for value, inside in zip(node.outputs, body.outputs, strict=True) if inside in inner
        }
    if (same := graph.seen_again(node)) is not None:
        return {node.outputs[0]: windows[same]}
    rule = RULES.get(node.name, lambda node, operand, window: None)
    rule = _elementwise if node.name in ELEMENTWISE | IDENTITIES else rule
    through = lambda i, w: rule(node, i, w) or (through_constants(graph, node, i, w) if node.name in READ_BY else None)
    sides = [
        [through(i, w) if isinstance(w, Window) else _unplaced(node, i, w, rule) for w in windows[value]]
        for i, value in enumerate(node.inputs)
        if value in windows
    ]
    return dict.fromkeys(node.outputs, tuple(_union(side) for side in zip(*sides, strict=True)))


def _unplaced(node: Node, operand: int, side: Scattered | None, rule: Rule) -> Side:
    """The side of values whose index does not tell the pixels: it stays while values of other indices do not join."""
    if side is None:
        return None
    along = rule(node, operand, Window(side.axis)) if side.axis is not None else None
    if isinstance(along, Window) and along == Window(along.axis):
        return replace(side, axis=along.axis)
    if isinstance(along, Scattered):
        return replace(along, reach=side.reach)
    if along is not None and along.low == along.high:  # each index is one of the input's
        return Scattered(side.reach, along.axis, node.outputs[0])
    moved = node.name in ELEMENTWISE | IDENTITIES | MOVES
    return Scattered(side.reach) if moved else None


def _elementwise(node: Node, operand: int, window: Window) -> Window | None:
    """The axis is kept if its length is; other axes of length one may be broadcast, as those of a mean of channels."""
    before, after = node.inputs[operand].shape, node.outputs[0].shape
    kept = len(before) == len(after) and before[window.axis] == after[window.axis]
    return window if kept else None


def _union(sides: Iterable[Side]) -> Side:
    first, *rest = sides
    for other in rest:
        if isinstance(first, Scattered) and isinstance(other, Scattered) and first.origin is not None:
            if (first.axis, first.origin) != (other.axis, other.origin):
                return None
            first = replace(first, reach=max(first.reach, other.reach))
            continue
        if not isinstance(first, Window) or not isinstance(other, Window):
            return None
        if (first.axis, first.stride) != (other.axis, other.stride):
            return None
        low, high = min(first.low, other.low), max(first.high, other.high)
        first = first if first == other else replace(first, low=low, high=high, unread=Fraction(0))
    return first
