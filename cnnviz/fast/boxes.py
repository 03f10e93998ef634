"""A function of an image of which only a box changes: only what the box reaches is computed again.

A window that slides over an image changes a box of the first layer, a slightly larger box of the next, and so on. The
values for the unchanged image are computed once for all windows; per window there are only the values in those boxes,
each computed from the box of its input and what is around it. Where the box is most of a value, or an operation mixes
all places, all of it is computed. Nakandala, Kumar & Papakonstantinou 2019, Incremental and approximate inference for
faster occlusion-based deep CNN explanations (doi:10.1145/3299869.3319874).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax

from cnnviz.fast.box_rules import RULES
from cnnviz.fast.box_values import InBox, Part, whole_of
from cnnviz.fast.rewrite import faster
from cnnviz.fast.switch import Rewrite, is_on
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.boxes import Boxes, reached
from cnnviz.graph.cost import products_of
from cnnviz.types import Array, PyTree

MOST_SHARE = 0.6  # of a value: a larger box is computed as the entire value
LEAST_SAVED = 0.4  # of all multiplications: for less, cutting boxes out takes longer than it saves


def with_box(function: Callable[[Array], PyTree], image: Array, changed: Array, boxes: Boxes, i: Array) -> PyTree:
    """`function(changed)`, where `changed` differs from `image` only in box number `i`."""
    if not is_on(Rewrite.BOXES) or not boxes.axes:
        return faster(function)(changed)
    graph, tree = Graph.of(function, image)
    known = {value: box for value, box in reached(graph, graph.inputs[0], boxes).items() if _is_small(value, box)}
    if graph.inputs[0] not in known or not _is_worth(graph, known):
        return faster(function)(changed)

    def in_box(image: Array, changed: Array, i: Array) -> list[Array]:
        inside = InBox(i)
        first = boxes.within(image.shape)
        begin = Part(image, inside.read(changed, first.axes, first.starts, first.sizes), first)
        return [
            inside.entire(found)
            for found in graph.evaluate([begin], graph.outputs, apply=partial(_apply, known, inside))
        ]

    return jax.tree.unflatten(tree, faster(in_box)(image, changed, i))


def _is_small(value: Value, boxes: Boxes) -> bool:
    return boxes.share(value.shape) <= MOST_SHARE


def _is_worth(graph: Graph, known: dict[Value, Boxes]) -> bool:
    """Whether enough multiplications are saved by computing in boxes only."""
    depends, entire, here = graph.depending(), 0.0, 0.0
    for node in graph.nodes:
        if depends.intersection(node.inputs):
            count = products_of(node)
            is_cut = node.outputs[0] in known
            entire += count
            here += count * (known[node.outputs[0]].share(node.outputs[0].shape) if is_cut else 1)
    return here < (1 - LEAST_SAVED) * entire


def _apply(known: Mapping[Value, Boxes], box: InBox, node: Node, *given: Any) -> Sequence[Any]:
    """The node's outputs for inputs that are arrays, or arrays with a changed part."""
    if not any(isinstance(value, Part) for value in given):
        return node.apply(*given)
    boxes, rule = known.get(node.outputs[0]), RULES.get(node.name)
    part = rule(box, node, given, boxes) if rule and boxes and len(node.outputs) == 1 else None
    if part is None or boxes is None:
        return node.apply(*map(box.entire, given))
    (whole,) = node.apply(*map(whole_of, given))
    return [Part(whole, part, boxes)]
