"""A function with the same values and derivatives in a form that is faster, by a rewrite of its graph.

XLA's CPU gradient of a max-pool takes longer than all convolutions of a small network together. As a maximum of
strided slices, one for each place in the window, it takes a twentieth of that. The gradient of a convolution's kernel
takes a third of the time as a sum over a few images at a time, and what is done image by image is faster in a few
pieces (`benchmarks/train_step.py`). On GPU and TPU the function stays as it is.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import ClosedJaxpr

from cnnviz.graph import Graph, Node
from cnnviz.pieces import in_pieces, joined, pieces_for
from cnnviz.types import Array

DERIVATIVES = ("jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd")  # what a custom call says of its derivative, not its value
LARGEST_WINDOW = 16  # places; a maximum over many slices reads the image as many times
FEW, MOST_CHUNKS = 8, 16  # images in a chunk of a kernel's gradient, at least; chunks, at most


def faster(function: Callable, images: int | None = None) -> Callable:
    """`function`, equal in value and derivative, with `jvp`, `vjp` and `vmap` as before; itself where not on CPU.

    `images` says which argument is an array of images, many enough to be worked on in pieces.
    """
    if jax.default_backend() != "cpu":
        return function

    def rewritten(*arguments: Any) -> Any:
        graph, tree = Graph.of(function, *arguments)
        apply = apply_faster if images is None else _apply_in_pieces(function, graph, arguments, images)
        outputs = graph.evaluate(jax.tree.leaves(arguments), graph.outputs, apply=apply)
        return jax.tree.unflatten(tree, [joined(output) for output in outputs])

    return rewritten


def once(function: Callable) -> Callable:
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


def _identity(value: Any) -> Any:
    """A key that two values share only if they are surely the same; arrays are by identity, single numbers by value."""
    if isinstance(value, Mapping):
        return tuple((name, _identity(value[name])) for name in sorted(value))
    if isinstance(value, ClosedJaxpr):  # made anew at each trace; as text it says all but its constants
        return str(value.jaxpr), tuple(map(id, value.consts))
    if isinstance(value, jax.Array):
        return id(value)
    if isinstance(value, np.ndarray | np.generic):
        return (value.dtype, value.item()) if value.ndim == 0 else id(value)
    try:
        return type(value), hash(value), value
    except TypeError:
        return id(value)


def apply_faster(node: Node, *arrays: Any) -> Sequence[Any]:
    """What the node gives, on CPU in the form that is faster there."""
    if node.name == "reduce_window_max" and jax.default_backend() == "cpu" and _is_small(node):
        return [_max_of_slices(arrays[0], node)]
    return node.apply(*arrays)


def _apply_in_pieces(function: Callable, graph: Graph, arguments: Sequence[Any], images: int) -> Callable:
    count = pieces_for(len(arguments[images]))
    if count == 1:
        return _apply_to_many
    piece = arguments[images][: len(arguments[images]) // count]
    small, _ = Graph.of(function, *arguments[:images], piece, *arguments[images + 1 :])
    return in_pieces(graph, small, count, _apply_to_many)


def _apply_to_many(node: Node, *arrays: Any) -> Sequence[Any]:
    if node.name == "conv_general_dilated" and _chunk(node) < node.inputs[0].shape[0]:
        return [_convolution(node)(*arrays)]
    return apply_faster(node, *arrays)


def _chunk(node: Node) -> int:
    """Images in a chunk of the kernel's gradient; all of them where the images are not on the first axis."""
    layout, count = node.params["dimension_numbers"], node.inputs[0].shape[0]
    first = layout.lhs_spec[0] == layout.out_spec[0] == 0 and node.params["batch_group_count"] == 1
    return max(FEW, math.ceil(count / MOST_CHUNKS)) if first else count


def _convolution(node: Node) -> Callable[[Array, Array], Array]:
    """The convolution, its derivative with respect to the kernel a chunk of images after the other."""
    plain = lambda x, kernel: node.apply(x, kernel)[0]
    convolve, size = jax.custom_jvp(plain), _chunk(node)

    @partial(convolve.defjvp, symbolic_zeros=True)
    def derivative(primals: Sequence[Array], tangents: Sequence[Any]) -> tuple[Array, Array]:
        (x, kernel), (dx, dkernel) = primals, tangents
        terms = [] if isinstance(dx, SymbolicZero) else [plain(dx, kernel)]
        if not isinstance(dkernel, SymbolicZero):
            starts = range(0, len(x), size)
            terms.append(jnp.concatenate([plain(x[start : start + size], dkernel) for start in starts]))
        return convolve(x, kernel), reduce(jnp.add, terms)

    return convolve


def _is_small(node: Node) -> bool:
    """Whether the window is small, and nothing is inserted between the values that it goes over."""
    return math.prod(node.params["window_dimensions"]) <= LARGEST_WINDOW and set(node.params["base_dilation"]) == {1}


def _max_of_slices(x: Array, node: Node) -> Array:
    """The maximum in each window; of equal ones the first has all the derivative, as in the primitive."""
    params = node.params
    low = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    x = jax.lax.pad(x, jnp.asarray(low, x.dtype), [(*sides, 0) for sides in params["padding"]])
    dilation, strides, shape = params["window_dilation"], params["window_strides"], node.outputs[0].shape
    ahead = [(n - 1) * stride + 1 for n, stride in zip(shape, strides, strict=True)]
    best = jax.lax.slice(x, [0] * x.ndim, ahead, strides)
    for place in list(product(*map(range, params["window_dimensions"])))[1:]:
        start = [at * step for at, step in zip(place, dilation, strict=True)]
        stop = [s + length for s, length in zip(start, ahead, strict=True)]
        seen = jax.lax.slice(x, start, stop, strides)
        best = jnp.where((seen > best) | (seen != seen), seen, best)  # a NaN stays
    return best
