"""A function with the same values and derivatives in a form that is faster, by a rewrite of its graph.

XLA's CPU gradient of a max-pool takes longer than all convolutions of a small network together. As a maximum of
strided slices, one for each place in the window, it takes a twentieth of that. With the gradient of a convolution's
kernel as a sum over a few images at a time a step takes a tenth less, and again with what is done image by image in two
pieces (`benchmarks/train_step.py`). On GPU and TPU the function stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from cnnviz.fast.convolutions import fast_form
from cnnviz.fast.kernel_gradient import in_chunks
from cnnviz.fast.microbatches import in_microbatches, joined, microbatch_count
from cnnviz.fast.pooling import is_small, max_of_slices
from cnnviz.graph import Graph, Node

DERIVATIVES = ("jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd")  # what a custom call says of its derivative, not its value


def faster(function: Callable, images: int | None = None) -> Callable:
    """`function`, equal in value and derivative, with `jvp`, `vjp` and `vmap` as before; itself where not on CPU.

    `images` says which argument is an array of images, many enough to be worked on in pieces.
    """
    if jax.default_backend() != "cpu":
        return function

    def rewritten(*arguments: Any) -> Any:
        graph, tree = Graph.of(function, *arguments)
        apply = apply_faster if images is None else _apply_in_microbatches(function, graph, arguments, images)
        outputs = graph.evaluate(jax.tree.leaves(arguments), graph.outputs, apply=apply)
        return jax.tree.unflatten(tree, [joined(output) for output in outputs])

    return rewritten


def deduplicated(function: Callable) -> Callable:
    """`function`, with what it computes twice (the same primitive of the same values) computed only once.

    It is for what is not differentiated any more: of two equal values the first one's derivative would count.
    """

    def rewritten(*arguments: Any) -> Any:
        graph, tree = Graph.of(function, *arguments)
        known: dict[Any, tuple[Sequence[Any], Any]] = {}

        def apply(node: Node, *arrays: Any) -> Sequence[Any]:
            said = {name: value for name, value in node.params.items() if name not in DERIVATIVES}
            key = (node.equation.primitive, _identity(said), *map(_identity, arrays))
            if key not in known:
                known[key] = (node.apply(*arrays), arrays)  # held, so that no other array gets an identity of theirs
            return known[key][0]

        return jax.tree.unflatten(tree, graph.evaluate(jax.tree.leaves(arguments), graph.outputs, apply=apply))

    return rewritten


def with_fast_convolutions(function: Callable) -> Callable:
    """`function`, with its convolutions from or to few channels in the forms that are fast on CPU.

    It is for what is not differentiated any more, since of a form there is no fast derivative.
    """
    if jax.default_backend() != "cpu":
        return function

    def apply(node: Node, *arrays: Any) -> Sequence[Any]:
        form = fast_form(node) if node.name == "conv_general_dilated" else None
        return [form(*arrays)] if form else node.apply(*arrays)

    def rewritten(*arguments: Any) -> Any:
        graph, tree = Graph.of(function, *arguments)
        return jax.tree.unflatten(tree, graph.evaluate(jax.tree.leaves(arguments), graph.outputs, apply=apply))

    return rewritten


def _identity(value: Any) -> Any:
    """A key that two values share only if they are surely the same; arrays are by identity, single numbers by value."""
    if isinstance(value, Mapping):
        return tuple((name, _identity(value[name])) for name in sorted(value))
    if isinstance(value, ClosedJaxpr | Jaxpr):  # made anew at each trace; as text it says all but its constants
        return str(getattr(value, "jaxpr", value)), tuple(map(id, getattr(value, "consts", ())))
    if isinstance(value, jax.Array):
        return id(value)
    if isinstance(value, np.ndarray | np.generic):
        return (value.dtype, value.item()) if value.ndim == 0 else id(value)
    try:
        return type(value), hash(value), value
    except TypeError:
        return id(value)


def apply_faster(node: Node, *arrays: Any) -> Sequence[Any]:
    """What the node gives, a max-pooling on CPU in the form that is faster there."""
    if node.name == "reduce_window_max" and jax.default_backend() == "cpu" and is_small(node):
        return [max_of_slices(arrays[0], node)]
    return node.apply(*arrays)


def _apply_in_microbatches(function: Callable, graph: Graph, arguments: Sequence[Any], images: int) -> Callable:
    count = microbatch_count(len(arguments[images]))
    if count == 1:
        return _apply_to_many
    piece = arguments[images][: len(arguments[images]) // count]
    small, _ = Graph.of(function, *arguments[:images], piece, *arguments[images + 1 :])
    return in_microbatches(graph, small, count, _apply_to_many)


def _apply_to_many(node: Node, *arrays: Any) -> Sequence[Any]:
    if node.name == "conv_general_dilated":
        return [in_chunks(node)(*arrays)]
    return apply_faster(node, *arrays)
