"""A function with the same values and derivatives in a faster form, by a rewrite of its graph.

XLA's CPU gradient of a max-pool takes longer than all convolutions of a small network together. As a maximum of
strided slices, one for each position in the window, it takes a twentieth of that. Summing a kernel's gradient over a
few images at a time takes a tenth off a training step, and two microbatches take off another tenth
(`benchmarks/train_step.py`). `switch.py` says which rewrites are on for which backend.
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
from cnnviz.fast.switch import Rewrite, is_on
from cnnviz.graph import Graph, Node

Apply = Callable[..., Sequence[Any]]  # (node, *arrays) -> its outputs
DERIVATIVES = ("jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd")  # parameters of a custom call that do not change its value


def faster(function: Callable, images: int | None = None) -> Callable:
    """`function`, equal in value and derivative, with `jvp`, `vjp` and `vmap` as before.

    `images` is the position of the argument whose first axis is images; if it is given, many images are split into
    microbatches and kernels' gradients into chunks.
    """
    over_images = (Rewrite.KERNEL_GRADIENT, Rewrite.MICROBATCHES) if images is not None else ()
    if not is_on(Rewrite.POOLING, *over_images):
        return function

    def rewritten(*arguments: Any) -> Any:
        graph, tree = Graph.of(function, *arguments)
        apply = apply_faster if images is None else _apply_to_images(function, graph, arguments, images)
        outputs = graph.evaluate(jax.tree.leaves(arguments), graph.outputs, apply=apply)
        return jax.tree.unflatten(tree, [joined(output) for output in outputs])

    return rewritten


def deduplicated(function: Callable) -> Callable:
    """`function`, with what it computes twice (the same primitive of the same values) computed only once.

    Apply after differentiation: merging equal values would drop the second one's gradient.
    """
    if not is_on(Rewrite.DEDUPLICATION):
        return function

    def rewritten(*arguments: Any) -> Any:
        known: dict[Any, tuple[Sequence[Any], Any]] = {}

        def apply(node: Node, *arrays: Any) -> Sequence[Any]:
            params = {name: value for name, value in node.params.items() if name not in DERIVATIVES}
            key = (node.equation.primitive, _identity(params), *map(_identity, arrays))
            if key not in known:
                known[key] = (node.apply(*arrays), arrays)  # the arrays are held, so that their ids stay theirs
            return known[key][0]

        return _evaluated(function, arguments, apply)

    return rewritten


def with_fast_convolutions(function: Callable) -> Callable:
    """`function`, with its convolutions from or to few channels in the forms that are fast on CPU.

    Apply after differentiation: differentiating the rewritten convolution would not give a rewritten gradient.
    """
    if not is_on(Rewrite.CONVOLUTIONS):
        return function

    def apply(node: Node, *arrays: Any) -> Sequence[Any]:
        form = fast_form(node) if node.name == "conv_general_dilated" else None
        return [form(*arrays)] if form else node.apply(*arrays)

    return lambda *arguments: _evaluated(function, arguments, apply)


def apply_faster(node: Node, *arrays: Any) -> Sequence[Any]:
    """The node's outputs; those of a max-pool with a small window in the form that is fast on CPU."""
    if node.name == "reduce_window_max" and is_on(Rewrite.POOLING) and is_small(node):
        return [max_of_slices(arrays[0], node)]
    return node.apply(*arrays)


def _evaluated(function: Callable, arguments: Sequence[Any], apply: Apply) -> Any:
    graph, tree = Graph.of(function, *arguments)
    return jax.tree.unflatten(tree, graph.evaluate(jax.tree.leaves(arguments), graph.outputs, apply=apply))


def _identity(value: Any) -> Any:
    """A key that two values share only if they are surely equal: arrays go by identity, single numbers by value."""
    if isinstance(value, Mapping):
        return tuple((name, _identity(value[name])) for name in sorted(value))
    if isinstance(value, ClosedJaxpr | Jaxpr):  # traced anew each time; its text says everything but its constants
        return str(getattr(value, "jaxpr", value)), tuple(map(id, getattr(value, "consts", ())))
    if isinstance(value, jax.Array):
        return id(value)
    if isinstance(value, np.ndarray | np.generic):
        return (value.dtype, value.item()) if value.ndim == 0 else id(value)
    try:
        return type(value), hash(value), value
    except TypeError:
        return id(value)


def _apply_to_images(function: Callable, graph: Graph, arguments: Sequence[Any], images: int) -> Apply:
    count = microbatch_count(len(arguments[images])) if is_on(Rewrite.MICROBATCHES) else 1
    if count == 1:
        return _apply_in_chunks
    microbatch = arguments[images][: len(arguments[images]) // count]
    small, _ = Graph.of(function, *arguments[:images], microbatch, *arguments[images + 1 :])
    return in_microbatches(graph, small, count, _apply_in_chunks)


def _apply_in_chunks(node: Node, *arrays: Any) -> Sequence[Any]:
    if node.name == "conv_general_dilated" and is_on(Rewrite.KERNEL_GRADIENT):
        return [in_chunks(node)(*arrays)]
    return apply_faster(node, *arrays)
