"""Images that share an axis with windows, frames or rows: `[n*k, ...]` as `[n, k, ...]`, with a row for each image.

Which image a position is of is read from the graph (`graph.spans`), so that nothing is taken for a row of an image that
depends on another image too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from cnnviz.graph.graph import Graph, Node, Region, Value
from cnnviz.graph.spans import Spans, spans_of


class Fold(NamedTuple):
    """How n images lie along an axis of `outer * n * inner`: the position i belongs to the image `(i // inner) % n`."""

    axis: int
    outer: int
    inner: int

    @property
    def image_axis(self) -> int:
        """The axis of the images in the view."""
        return self.axis + (self.outer > 1)

    def view(self, shape: Sequence[int], with_one_image_more: Sequence[int]) -> tuple[int, ...] | None:
        """The shape with an axis of the images alone; None if they do not lie so in values of these two shapes.

        The axis of one image may be missing, as `jnp.matmul` squeezes axes of length one.
        """
        if len(shape) != len(with_one_image_more):
            rest = (*with_one_image_more[: self.axis], *with_one_image_more[self.axis + 1 :])
            squeezed = self.outer == self.inner == 1 and rest == tuple(shape)
            return (*shape[: self.axis], 1, *shape[self.axis :]) if squeezed else None
        images, more = (each[self.axis] // (self.outer * self.inner) for each in (shape, with_one_image_more))
        parts = [*[self.outer] * (self.outer > 1), images, *[self.inner] * (self.inner > 1)]
        whole = shape[self.axis] == self.outer * images * self.inner and more == images + 1
        return (*shape[: self.axis], *parts, *shape[self.axis + 1 :]) if whole else None


def folds_of(graph: Graph, inputs: Sequence[Value], wanted: Sequence[Value]) -> dict[Value, Fold]:
    """How the images lie in those of the wanted values of which each position along one axis is of one image.

    `inputs` have one row per image along their first axis, at least two.
    """
    found: dict[Value, list[Fold | None]] = {}
    for image in inputs:
        for value, spans in spans_of(graph, image, (0,), wanted).items():
            found.setdefault(value, []).append(_fold(spans, value.shape, image.shape[0]))
    return {value: folds[0] for value, folds in found.items() if folds[0] is not None and len(set(folds)) == 1}


def _fold(spans: Spans, shape: Sequence[int], images: int) -> Fold | None:
    low, high = spans.bounds
    for axis, length in enumerate(shape):
        others = tuple(a for a in range(len(shape)) if a != axis)
        first, last = low.min(others), -high.min(others)  # padding, which depends on no image, is larger than any
        if len(first) == length and (first == last).all():
            inner = int(np.argmax(first != first[0]))
            outer = length // (inner * images) if inner else 0
            same = outer > 0 and np.array_equal(first, np.tile(np.arange(images).repeat(inner), outer))
            return Fold(axis, outer, inner) if same else None
    return None


def with_views(graph: Graph, shapes: Mapping[Value, tuple[int, ...]]) -> tuple[Graph, dict[Value, Value]]:
    """The graph in which each of these values is first a view of this shape, and these views.

    What is added to a view is added to the value, and so to everything that is computed from it.
    """
    nodes, starts, views = [], [], {}
    for node in graph.nodes:
        starts.append(len(nodes))
        made = {value: Value(value.shape, value.dtype) for value in node.outputs if value in shapes}
        nodes.append(replace(node, outputs=tuple(made.get(value, value) for value in node.outputs)))
        for value, before in made.items():
            views[value] = Value(shapes[value], value.dtype)
            nodes += [_reshaped(node, before, views[value]), _reshaped(node, views[value], value)]
    starts.append(len(nodes))
    regions = [Region(each.name, starts[each.first], starts[each.end], each.outputs) for each in graph.regions]
    return Graph(graph.inputs, graph.outputs, tuple(nodes), graph.marks, tuple(regions)), views


def _reshaped(node: Node, before: Value, after: Value) -> Node:
    """The node that makes one value of the other, where `node` is."""
    reshape = jax.make_jaxpr(lambda array: jax.lax.reshape(array, after.shape))
    equation = reshape(jax.ShapeDtypeStruct(before.shape, before.dtype)).jaxpr.eqns[0]
    return Node(equation, (before,), (after,), node.calls, node.scope, node.labels)
