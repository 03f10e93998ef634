"""A function that computes in bfloat16 or float16, computed in float32: explanations divide, sort and sum many terms.

Every primitive is applied to float32 values, and so is the inside of a function that has a `jvp` of its own, such as
ReLU; the inputs of other functions with types (a `custom_vjp`, a loop) are rounded as the model has it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from cnnviz.graph.graph import Graph, Node


def is_low(dtype: Any) -> bool:
    """Whether these are floating-point numbers of fewer bits than float32."""
    return jnp.issubdtype(dtype, jnp.floating) and jnp.dtype(dtype).itemsize < 4


def raised(array: Any) -> Any:
    """The array in float32 if its precision is lower, else as it is."""
    return array.astype(jnp.float32) if is_low(array.dtype) else array


@lru_cache(maxsize=64)
def computes_in_low(graph: Graph) -> bool:
    """Whether any value of the graph has a lower precision than float32."""
    return any(is_low(v.dtype) for v in (*graph.inputs, *(value for node in graph.nodes for value in node.outputs)))


def in_float32(function: Callable) -> Callable:
    """`function`, computed and returned in float32 wherever its precision is lower."""

    def computed(*arguments: Any) -> Any:
        graph, tree = Graph.of(function, *arguments)
        outputs = graph.evaluate(jax.tree.leaves(arguments), graph.outputs, apply=_apply)
        return jax.tree.unflatten(tree, list(map(_as_array, outputs)))

    return computed


def _apply(node: Node, *arrays: Any) -> Sequence[Any]:
    if not any(is_low(value.dtype) for value in (*node.inputs, *node.outputs)):
        return node.apply(*arrays)
    if node.name == "custom_jvp_call":
        return _with_own_derivative(node)(*map(_as_array, arrays))
    if node.name == "bitcast_convert_type" or any(map(_is_typed, node.params.values())):
        return _as_typed(node, *arrays)
    arrays = tuple(map(_as_array, arrays))
    if node.name == "convert_element_type" and is_low(node.params["new_dtype"]) and arrays[0].dtype == jnp.float32:
        return arrays
    params = {name: jnp.dtype(jnp.float32) if _is_low_type(value) else value for name, value in node.params.items()}
    return replace(node, equation=node.equation.replace(params=params)).apply(*arrays)


def _as_typed(node: Node, *arrays: Any) -> Sequence[Any]:
    pairs = zip(arrays, node.inputs, strict=True)
    return list(map(raised, node.apply(*(a.astype(v.dtype) if is_low(v.dtype) else a for a, v in pairs))))


def _with_own_derivative(node: Node) -> Callable[..., Sequence[Any]]:
    """A `custom_jvp` function in float32: its inside and its derivative."""
    body: Any = node.body
    tangent = in_float32(lambda primals, tangents: jax.jvp(lambda *x: _as_typed(node, *x), primals, tangents)[1])

    @jax.custom_jvp
    def called(*arrays: Any) -> Sequence[Any]:
        return list(map(_as_array, body.evaluate(arrays, body.outputs, apply=_apply)))

    @called.defjvp
    def derivative(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        return called(*primals), tangent(tuple(primals), tuple(tangents))

    return called


def _as_array(array: Any) -> Any:
    """The array, or a constant number of the graph, in float32 if its precision is lower."""
    return raised(array if hasattr(array, "dtype") else np.asarray(array))


def _is_low_type(value: Any) -> bool:
    return isinstance(value, np.dtype) and is_low(value)


def _is_typed(value: Any) -> bool:
    return isinstance(value, Jaxpr | ClosedJaxpr) or (isinstance(value, tuple) and any(map(_is_typed, value)))
