"""How primitives map windows: which indices of an input the value at one index of the output reads."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import SupportsIndex

from cnnviz.graph.graph import Node, Value
from cnnviz.graph.indexed import INDEXED, SCATTERS, untouched
from cnnviz.graph.primitives import CUMULATIVE, REDUCTIONS, WINDOWS


@dataclass(frozen=True)
class Window:
    """Index i along `axis` depends on the pixels `stride*i + low` to `stride*i + high` of one side of the image.

    Where indices are rounded, as in a resize, each i depends on fewer of these: at least `unread` pixels less.
    """

    axis: int
    stride: Fraction = Fraction(1)
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    unread: Fraction = Fraction(0)

    def through(self, axis: int, step=Fraction(1), first=Fraction(0), last=Fraction(0), unread=Fraction(0)) -> "Window":
        """The window of a value whose index i reads the indices `step*i + first .. step*i + last` of this one.

        Of these, each i reads `unread` less at least.
        """
        left = self.unread if first == last else Fraction(0)
        low, high = self.low + self.stride * first, self.high + self.stride * last
        return Window(axis, self.stride * step, low, high, left + self.stride * unread)

    @property
    def reach(self) -> Fraction:
        """The distance of the last pixel from the first that one index depends on."""
        return self.high - self.low - self.unread


@dataclass(frozen=True)
class Scattered:
    """Each value depends on a bounded number of neighboring pixels that its index does not tell, as after flattening.

    `reach` is the distance of the last pixel from the first. Which pixels they are depends on the index along `axis`
    alone, and in the same way in all values of one `origin`; without an axis it is not known on which.
    """

    reach: Fraction
    axis: int | None = None
    origin: Value | None = None


# (node, the position of an input, its window) -> the output's window, or None for the entire side
Rule = Callable[[Node, int, Window], Window | Scattered | None]


def _convolution(node: Node, operand: int, window: Window) -> Window | None:
    image, _, output = node.params["dimension_numbers"]
    _, kernel, _ = node.params["dimension_numbers"]
    if operand == 0 and window.axis == image[0] and node.params["batch_group_count"] == 1:
        return replace(window, axis=output[0])
    if operand != 0 or window.axis not in image[2:]:
        return None
    i = image.index(window.axis) - 2
    before, holes = node.params["padding"][i][0], node.params["lhs_dilation"][i]
    reach = node.params["rhs_dilation"][i] * (node.inputs[1].shape[kernel[2 + i]] - 1)
    step, first, last = (Fraction(n, holes) for n in (node.params["window_strides"][i], -before, reach - before))
    return window.through(output[2 + i], step, first, last)


def _pooling(node: Node, operand: int, window: Window) -> Window | None:
    p, a = node.params, window.axis
    if p.get("base_dilation", [1] * (a + 1))[a] != 1:
        return None
    before = p["padding"][a][0]
    reach = p.get("window_dilation", [1] * (a + 1))[a] * (p["window_dimensions"][a] - 1)
    return window.through(a, Fraction(p["window_strides"][a]), Fraction(-before), Fraction(reach - before))


def _reduction(node: Node, operand: int, window: Window) -> Window | None:
    return _without(window, node.params["axes"])


def _without(window: Window, gone: Collection[SupportsIndex]) -> Window | None:
    """The window when these axes, among which `jax.vmap` leaves integers of NumPy, are gone."""
    before = sum(1 for axis in gone if int(axis) < window.axis)
    return None if window.axis in gone else replace(window, axis=window.axis - before)


def _broadcast(node: Node, operand: int, window: Window) -> Window | None:
    axis = int(node.params["broadcast_dimensions"][window.axis])
    kept = node.inputs[operand].shape[window.axis] == node.outputs[0].shape[axis]
    return replace(window, axis=axis) if kept else None


def _reshape(node: Node, operand: int, window: Window) -> Window | Scattered:
    """The axis is kept if its length and the number of elements before it stay the same.

    If it is split, as into blocks that are moved to the channels, the first of its axes counts blocks of the others. If
    it is joined with axes after it, as where each row is repeated, a number of indices in a row are one of it.
    """
    before, after = node.inputs[operand].shape, node.outputs[0].shape
    lead, length = prod(before[: window.axis]), before[window.axis]
    whole = lambda a: any(prod(after[a:end]) == length for end in range(a + 1, len(after) + 1))
    starts = [a for a in range(len(after)) if prod(after[:a]) == lead and (after[a] > 1) == (length > 1)]
    axis = next(filter(whole, starts), None)
    if axis is None and starts and after[starts[0]] % length == 0:
        each = Fraction(length, after[starts[0]])
        return window.through(starts[0], each, first=each - 1, unread=1 - each)
    if axis is None:
        inside = (a for a in range(len(after)) if prod(after[:a]) <= lead and lead * length <= prod(after[: a + 1]))
        return Scattered(window.reach, next(inside, None), node.outputs[0])
    block = Fraction(length, after[axis])
    if window == _repeated(window.axis, window.stride) and (window.stride * block).numerator == 1:
        return _repeated(axis, window.stride * block)
    return window.through(axis, block, last=block - 1)


def _repeated(axis: int, step: Fraction) -> Window:
    """The window of a side whose pixels have `1 / step` indices each."""
    return Window(axis).through(axis, step, first=step - 1, unread=1 - step)


def _squeeze(node: Node, operand: int, window: Window) -> Window | None:
    return _without(window, node.params["dimensions"])


def _transpose(node: Node, operand: int, window: Window) -> Window:
    return replace(window, axis=node.params["permutation"].index(window.axis))


def _dot(node: Node, operand: int, window: Window) -> Window | None:
    contracted, batched = node.params["dimension_numbers"]
    if window.axis in contracted[operand]:
        return None
    if window.axis in batched[operand]:
        return replace(window, axis=batched[operand].index(window.axis))
    free = [
        [a for a in range(len(v.shape)) if a not in (*contracted[i], *batched[i])] for i, v in enumerate(node.inputs)
    ]
    before = len(batched[0]) + (len(free[0]) if operand == 1 else 0)
    return replace(window, axis=before + free[operand].index(window.axis))


def _along(parameter: str) -> Rule:
    """The rule of a primitive that mixes or moves values only along the axis that it has as this parameter."""
    return lambda node, operand, window: None if window.axis == node.params[parameter] else window


def _reverse(node: Node, operand: int, window: Window) -> Window | Scattered:
    return _moved(node, window) if window.axis in node.params["dimensions"] else window


def _concatenation(node: Node, operand: int, window: Window) -> Window | Scattered:
    return _moved(node, window) if window.axis == node.params["dimension"] else window


def _moved(node: Node, window: Window) -> Scattered:
    """Where each index of the axis is another one of an input, such as in a roll, which is two slices put together."""
    return Scattered(window.reach, window.axis, node.outputs[0])


def _stack(node: Node, operand: int, window: Window) -> Window:
    return replace(window, axis=window.axis + (window.axis >= node.params["axis"]))


def _unstack(node: Node, operand: int, window: Window) -> Window | None:
    axis = node.params["axis"]
    return None if window.axis == axis else replace(window, axis=window.axis - (window.axis > axis))


def _tile(node: Node, operand: int, window: Window) -> Window | None:
    return window if node.params["reps"][window.axis] == 1 else None


def _padding(node: Node, operand: int, window: Window) -> Window | None:
    low, _, interior = node.params["padding_config"][window.axis]
    first = Fraction(-int(low), int(interior) + 1)
    return None if operand != 0 else window.through(window.axis, Fraction(1, int(interior) + 1), first, first)


def _slice(node: Node, operand: int, window: Window) -> Window:
    start = Fraction(node.params["start_indices"][window.axis])
    step = Fraction((node.params["strides"] or [1] * (window.axis + 1))[window.axis])
    return window.through(window.axis, step, start, start)


def _indexed(node: Node, operand: int, window: Window) -> Window | None:
    axis = untouched(node, operand).get(window.axis)
    return None if axis is None else replace(window, axis=axis)


def _transform(node: Node, operand: int, window: Window) -> Window | None:
    """A Fourier transform mixes its last axes."""
    before = len(node.inputs[0].shape) - len(node.params["fft_lengths"])
    return window if window.axis < before else None


RULES: dict[str, Rule] = {
    "conv_general_dilated": _convolution,
    **dict.fromkeys(WINDOWS, _pooling),
    **dict.fromkeys(REDUCTIONS, _reduction),
    **dict.fromkeys(CUMULATIVE | {"split", "top_k"}, _along("axis")),
    "sort": _along("dimension"),
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "dot_general": _dot,
    "stack": _stack,
    "unstack": _unstack,
    "tile": _tile,
    "pad": _padding,
    "slice": _slice,
    "rev": _reverse,
    "concatenate": _concatenation,
    "fft": _transform,
    **dict.fromkeys([*INDEXED, *SCATTERS], _indexed),
}
