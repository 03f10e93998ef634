"""A sum over samples in which the linear parts of their function are evaluated only once.

A network usually begins with a linear function, a convolution: on images p + a q along a line, as integrated gradients
uses them, it is L(p) + a L(q), two convolutions for any number of samples. A gradient ends with its transpose, which a
sum over samples needs only once: sum_i L(g_i) = L(sum_i g_i).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.fast.switch import Rewrite, is_on
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.linearity import is_linear, summands
from cnnviz.types import Array, PyTree


class Line(NamedTuple):
    """The value `start + at * slope`, in which only the number `at` differs between samples."""

    start: Array
    slope: Array
    at: Array


def over_samples(
    function: Callable[[Array], PyTree], first: Array | int, size: int, samples: int, *, keep: bool
) -> PyTree:
    """The sum of `function(i)` over the samples i from `first` to `first + size - 1` that are less than `samples`.

    With `keep`, all of them are returned instead, `[size ...]`; those past the last sample repeat it.
    """
    index = first + jnp.arange(size)
    shown = jnp.minimum(index, samples - 1)
    counts = lambda array: (index < samples).reshape(-1, *[1] * (array.ndim - 1))
    total = lambda array: jnp.where(counts(array), array, 0).sum(0)
    if keep or not is_on(Rewrite.LINEAR_SAMPLES):
        every = jax.vmap(function)(shown)
        return every if keep else jax.tree.map(total, every)
    graph, tree = Graph.of(function, shown[0])
    varying = graph.depending()  # the values that differ between samples
    end = _linear_end(graph, varying)
    before = _before(graph, end, varying)
    every = jax.vmap(lambda i: list(map(_point, graph.evaluate([i], before, apply=_on_lines(varying)))))(shown)
    sums = {value: total(array) for value, array in zip(before, every, strict=True)}
    return jax.tree.unflatten(tree, _after(graph, varying, end, sums))


def _linear_end(graph: Graph, varying: set[Value]) -> set[Node]:
    """The nodes that are linear in the per-sample values, as is everything after them."""
    end, bent = set(), set()
    for node in reversed(graph.needed(graph.outputs)):
        depends = [value in varying for value in node.inputs]
        if any(depends) and _is_linear(node, depends) and not bent.intersection(node.outputs):
            end.add(node)
        else:
            bent.update(node.inputs)
    return end


def _is_linear(node: Node, depends: Sequence[bool], *, affine: bool = False) -> bool:
    """Whether the node is linear and keeps the precision: a sum in a lower one is less exact."""
    types = {value.dtype for value, does in zip(node.inputs, depends, strict=True) if does}
    return types == {value.dtype for value in node.outputs} and is_linear(node, depends, affine=affine)


def _before(graph: Graph, end: set[Node], varying: set[Value]) -> list[Value]:
    """The values that the linear end starts from, and the outputs that are not part of it."""
    made = {value for node in end for value in node.outputs}
    read = [value for node in graph.nodes if node in end for value in node.inputs if value in varying]
    return list(dict.fromkeys(value for value in [*read, *graph.outputs] if value not in made))


def _after(graph: Graph, varying: set[Value], end: set[Node], sums: dict[Value, Array]) -> list[Array]:
    """The graph's outputs, from the sums of the values that its linear end starts from."""
    nodes = [node for node in graph.nodes if node in end or varying.isdisjoint(node.outputs)]
    made = [value for value in graph.outputs if value not in sums]
    found = Graph(tuple(sums), graph.outputs, tuple(nodes)).evaluate([*sums.values()], made)
    known = sums | dict(zip(made, found, strict=True))
    return [known[value] for value in graph.outputs]


def _on_lines(varying: set[Value]) -> Callable[..., Sequence[Any]]:
    """`Node.apply` where some values are a `Line`, which is linear in a number of the sample."""

    def apply(node: Node, *values: Any) -> Sequence[Any]:
        if any(isinstance(value, Line) for value in values) and _keeps_lines(node, values, varying):
            return _line(node, values)
        outputs = node.apply(*map(_point, values))
        pairs = zip(node.outputs, outputs, strict=True)
        return [_as_line(array) if value in varying else array for value, array in pairs]

    return apply


def _keeps_lines(node: Node, values: Sequence[Any], varying: set[Value]) -> bool:
    """Whether the node's outputs are lines: it is affine in its inputs that are, and no other input varies."""
    are = [isinstance(value, Line) for value in values]
    same = len({id(value.at) for value in values if isinstance(value, Line)}) == 1
    bent = any(value in varying for value, is_line in zip(node.inputs, are, strict=True) if not is_line)
    return same and not bent and _is_linear(node, are, affine=node.body is None)


def _line(node: Node, values: Sequence[Any]) -> list[Line]:
    added = summands(node)  # a summand that is the same for all samples has no slope
    slope = lambda i, value: jnp.zeros_like(value) if i in added else value
    starts = node.apply(*(value.start if isinstance(value, Line) else value for value in values))
    slopes = node.apply(*(v.slope if isinstance(v, Line) else slope(i, v) for i, v in enumerate(values)))
    at = next(value.at for value in values if isinstance(value, Line))
    return [Line(start, slope, at) for start, slope in zip(starts, slopes, strict=True)]


def _as_line(array: Any) -> Any:
    is_number = array.shape == () and jnp.issubdtype(array.dtype, jnp.floating)
    return Line(jnp.zeros_like(array), jnp.ones_like(array), array) if is_number else array


def _point(value: Any) -> Any:
    return value.start + value.at * value.slope if isinstance(value, Line) else value
