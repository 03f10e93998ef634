"""A score as a function of one layer's value, with everything before the layer held as it is."""

from collections.abc import Sequence
from typing import Any

import jax

from cnnviz.graph import Graph, Node
from cnnviz.graph.primitives import IDENTITIES, MOVES
from cnnviz.types import Activations, Array, Image, Scalar, Score


def from_layer(score: Score, image: Image, layer: str) -> tuple[Array, Score]:
    """The layer's value at the image, and the score as a function of it: what any method takes for an image.

    The layer's other ways to the score, around it, keep the image's values.
    """
    here = score(image, {})[1][layer]

    def of_layer(value: Array, offsets: Activations) -> tuple[Scalar, Activations]:
        value = value + offsets[layer] if layer in offsets else value
        others = {name: offset for name, offset in offsets.items() if name != layer}
        function = lambda own, others: score(image, {**others, layer: own})
        graph, tree = Graph.of(function, value, others)
        outputs = graph.evaluate(jax.tree.leaves((value, others)), graph.outputs, apply=_without(_addition(graph)))
        return jax.tree.unflatten(tree, outputs)

    return here, of_layer


def _addition(graph: Graph) -> Node | None:
    """The node that adds the first input, an offset, to the layer's value."""
    moved = {graph.inputs[0]}
    for node in graph.nodes:
        if not moved.isdisjoint(node.inputs):
            if node.name not in MOVES | IDENTITIES:
                return node
            moved.update(node.outputs)
    return None


def _without(addition: Node | None) -> Any:
    """`Node.apply`, but for this addition, whose output is the offset: the layer's value is replaced by it."""

    def apply(node: Node, *arrays: Any) -> Sequence[Any]:
        return [arrays[1]] if node is addition else node.apply(*arrays)

    return apply
