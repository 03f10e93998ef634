"""Spans: for each element of a value, which pixels of the image it can depend on, from the first to the last per side.

They are found from the graph alone, index by index, so strides, dilation, padding, pooling and branches of any strides
are as they are at every place, at the borders too. Spans are never too small. They are exact if they are the hull of
the pixels that change the element for generic weights and images, and else an upper bound: after a primitive that is
not known, where a mask or index depends on more pixels than the values that it selects, or at a constant kernel that
has zeros.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cnnviz.graph.bounds import NOWHERE, RULES, Bound, arrays_beside, compact, full
from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.indexed import INDEXED, SCATTERS
from cnnviz.graph.primitives import ELEMENTWISE, IDENTITIES, MOVES

STEPS = frozenset({"ceil", "floor", "round", "sign", "stop_gradient"})  # without a derivative


@dataclass(frozen=True, eq=False)
class Spans:
    """The bounds of a value, two for each side (`graph.bounds`): the first pixel, and minus the last."""

    bounds: tuple[Bound, ...]
    exact: bool

    @property
    def gaps(self) -> list[np.ndarray]:
        """Along each side, which elements depend on no pixel."""
        return [bound == NOWHERE for bound in self.bounds[::2]]

    @property
    def gaps_agree(self) -> bool:
        """Whether an element that depends on no pixel along one side depends on none along all."""
        first, *others = self.gaps or [np.array(False)]
        return all(bool((first == other).all()) for other in others)

    @property
    def may_be_united(self) -> bool:
        """Whether uniting elements, side by side, adds no pixel that none of them depends on.

        One that depends on no pixel along one side depends on none, so that its pixels along another do not count. That
        is of no matter if it is so for all elements that differ along an axis on which several sides change.
        """
        changing = [{a for a, n in enumerate(bound.shape) if n > 1} for bound in self.bounds[::2]]
        shared = tuple({a for a in set().union(*changing) if sum(a in axes for axes in changing) > 1})
        if not shared or not any(gap.any() for gap in self.gaps):
            return True
        others = tuple(a for a in range(self.bounds[0].ndim) if a not in shared)
        nowhere = [gap.all(others, keepdims=True) for gap in self.gaps]
        alike = all(bool((nowhere[0] == other).all()) for other in nowhere)
        inside = zip(self.gaps, nowhere, strict=True)
        return alike and all(
            bool(((gap | none).all(shared) == (gap & ~none).any(shared)).all()) for gap, none in inside
        )

    def ends(self, shape: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The first pixel along each side and the one after the last, for each element of a value of this shape.

        Both are zero along all sides for an element that depends on no pixel.
        """
        empty = np.zeros(shape, bool)
        for low in self.bounds[::2]:
            empty |= low == NOWHERE
        pairs = zip(self.bounds[::2], self.bounds[1::2], strict=True)
        return [(np.where(empty, 0, low), np.where(empty, 0, 1 - high)) for low, high in pairs]


def spans_of(graph: Graph, image: Value, sides: Sequence[int], wanted: Sequence[Value]) -> dict[Value, Spans]:
    """The spans of the wanted values, those that depend on the input `image`, along its axes `sides`."""
    rank, bounds = len(image.shape), []
    for axis in sides:
        line = np.arange(image.shape[axis], dtype=np.int32).reshape([-1 if a == axis else 1 for a in range(rank)])
        bounds += [line, -line]
    found = _Propagation(graph, {image: Spans(tuple(bounds), True)}).run(wanted)
    return {value: found[value] for value in wanted if value in found}


@dataclass(eq=False)
class _Propagation:
    """The spans of a graph's values as they become known."""

    graph: Graph
    found: dict[Value, Spans]
    constants: Mapping[Value, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        self.depends = self.graph.depending()

    def run(self, wanted: Sequence[Value]) -> dict[Value, Spans]:
        """The spans of all values on the way to those that are wanted."""
        for node in self.graph.needed(wanted):
            if any(value in self.found for value in node.inputs):
                self.found.update(zip(node.outputs, self.outputs(node), strict=True))
        return self.found

    def known(self, value: Value) -> np.ndarray | None:
        """The array of a value that depends on no input; None if it does."""
        if value in self.constants:
            return self.constants[value]
        if value.constant is not None:
            return None if isinstance(value.constant, Tracer) else np.asarray(value.constant)
        if value in self.depends:
            return None
        return np.asarray(self.graph.evaluate([None] * len(self.graph.inputs), [value])[0])

    def outputs(self, node: Node) -> list[Spans]:
        """The spans of a node's outputs."""
        inputs = [(i, self.found[value]) for i, value in enumerate(node.inputs) if value in self.found]
        if (body := node.body) is not None:
            return self.inside(node, body)
        if node.name in ("concatenate", "stack"):
            return [self.joined(node, inputs)]
        if node.name in ("split", "unstack"):
            return _parted(node, inputs[0][1])
        if node.name == "optimization_barrier":
            return [self.found.get(value, _anything(inputs, value)) for value in node.inputs]
        return [self.output(node, inputs, output) for output in node.outputs]

    def output(self, node: Node, inputs: Sequence[tuple[int, Spans]], output: Value) -> Spans:
        """The spans of one output of a node."""
        if node.name in ELEMENTWISE | IDENTITIES:
            found = united([(_ranked(spans, output), _is_real(node.inputs[i])) for i, spans in inputs])
            return Spans(found.bounds, found.exact and node.name not in STEPS)
        rule, moved = RULES.get(node.name), []
        for i, spans in inputs:
            bounds = [None if rule is None else rule(node, i, bound, self.known) for bound in spans.bounds]
            if any(bound is None for bound in bounds):
                return _anything(inputs, output)
            exact = spans.exact and (node.name in MOVES or spans.may_be_united)
            moved.append((Spans(tuple(b for b in bounds if b is not None), exact), _is_real(node.inputs[i])))
        found = united(moved)
        return Spans(found.bounds, found.exact and not self.has_zeros(node) and not self.is_anywhere(node))

    def has_zeros(self, node: Node) -> bool:
        """Whether the node is a convolution by a constant kernel with zeros, whose taps are not told apart."""
        kernel = self.known(node.inputs[1]) if node.name == "conv_general_dilated" else None
        return kernel is not None and bool((kernel == 0).any())

    def is_anywhere(self, node: Node) -> bool:
        """Whether the node takes or puts values at places that are not known, or puts some in place of others."""
        puts = node.name in SCATTERS or node.name == "dynamic_update_slice"
        return puts or (node.name in INDEXED and arrays_beside(node, self.known) is None)

    def inside(self, node: Node, body: Graph) -> list[Spans]:
        """The spans of the outputs of a call whose inside is a graph."""
        pairs = list(zip(body.inputs, node.inputs, strict=True))
        seen = {own: self.found[value] for own, value in pairs if value in self.found}
        constants = {own: array for own, value in pairs if (array := self.known(value)) is not None}
        inner = _Propagation(body, seen, constants).run(body.outputs)
        whole = [(0, spans) for spans in seen.values()]
        return [inner.get(own, _anything(whole, out)) for own, out in zip(body.outputs, node.outputs, strict=True)]

    def joined(self, node: Node, inputs: Sequence[tuple[int, Spans]]) -> Spans:
        """The spans of values put side by side, along an axis of theirs or a new one."""
        new = node.name == "stack"
        axis = int(node.params["axis" if new else "dimension"])
        spans, count = dict(inputs), len(inputs[0][1].bounds)
        parts = lambda k: [_part(spans.get(i), k, axis, value.shape, new) for i, value in enumerate(node.inputs)]
        bounds = [_side_by_side(parts(k), axis) for k in range(count)]
        return Spans(tuple(map(compact, bounds)), all(each.exact for each in spans.values()))


def united(parts: Sequence[tuple[Spans, bool]]) -> Spans:
    """The spans of elements that depend on all of these; `True` beside those that are real numbers.

    What is not exact, or no real number, as a mask, does no harm where it adds no pixel to the others.
    """
    bounds = _least([spans for spans, _ in parts])
    strict = [spans for spans, real in parts if real and spans.exact]
    if not strict:
        return Spans(bounds, False)
    same = lambda found: all(bool((a == b).all()) for a, b in zip(found, bounds, strict=True))
    alone = len(strict) == 1 or all(spans.gaps_agree for spans in strict)
    return Spans(bounds, same(_least(strict)) and (alone or any(same(spans.bounds) for spans in strict)))


def _least(parts: Sequence[Spans]) -> tuple[Bound, ...]:
    bounds = parts[0].bounds
    for spans in parts[1:]:
        bounds = tuple(np.minimum(a, b) for a, b in zip(bounds, spans.bounds, strict=True))
    return bounds


def _anything(inputs: Sequence[tuple[int, Spans]], output: Value) -> Spans:
    """The spans of a value each of whose elements may depend on all elements of the inputs."""
    whole = [Spans(tuple(b.min(keepdims=True).reshape(1) for b in spans.bounds), False) for _, spans in inputs]
    return Spans(tuple(b.reshape([1] * len(output.shape)) for b in _least(whole)), False)


def _ranked(spans: Spans, output: Value) -> Spans:
    """The spans in the rank of the output, where a number stands for an array."""
    ones = [1] * len(output.shape)
    return Spans(tuple(b if b.ndim == len(ones) else b.reshape(ones) for b in spans.bounds), spans.exact)


def _is_real(value: Value) -> bool:
    return jnp.issubdtype(value.dtype, jnp.inexact)


def _part(spans: Spans | None, k: int, axis: int, shape: Sequence[int], new: bool) -> Bound:
    """One bound of one of the values that are put side by side."""
    bound = np.full([1] * len(shape), NOWHERE, np.int32) if spans is None else spans.bounds[k]
    return np.expand_dims(bound, axis) if new else full(bound, shape, [axis])


def _side_by_side(parts: Sequence[Bound], axis: int) -> Bound:
    shape = list(np.broadcast_shapes(*([*p.shape[:axis], 1, *p.shape[axis + 1 :]] for p in parts)))
    sized = lambda part: [part.shape[axis] if a == axis else n for a, n in enumerate(shape)]
    return np.concatenate([np.broadcast_to(part, sized(part)) for part in parts], axis)


def _parted(node: Node, spans: Spans) -> list[Spans]:
    """The spans of the parts of a value along an axis, which `unstack` takes away."""
    axis, found = int(node.params["axis"]), []
    sizes = node.params.get("sizes", [1] * len(node.outputs))
    for start, size in zip(np.cumsum([0, *sizes[:-1]]), sizes, strict=True):
        cut = [b.take(range(start, start + size), axis) if b.shape[axis] > 1 else b for b in spans.bounds]
        cut = [b.squeeze(axis) for b in cut] if node.name == "unstack" else cut
        found.append(Spans(tuple(cut), spans.exact))
    return found
