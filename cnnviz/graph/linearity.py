"""Whether a part of a graph is linear, affine or piecewise linear in one of its values: some methods hold only there.

A function is linear if it also keeps zero, and affine if constants may be added. Rounding to another precision counts
as linear.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp

from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.primitives import PIECEWISE_LINEAR, PRODUCTS, primitive


class Part(NamedTuple):
    """A node that depends on the value in question, and which of its inputs do."""

    node: Node
    depends: tuple[bool, ...]


def between(graph: Graph, start: Value, end: Value) -> list[Part]:
    """The nodes from `start` to `end`, in order; custom_jvp and custom_vjp calls are replaced by their bodies."""
    return list(parts_between(graph, {start}, end))


def parts_between(graph: Graph, dependent: set[Value], end: Value) -> Iterator[Part]:
    """The nodes of `between`, from several values; `dependent` grows by what depends on them."""
    for node in graph.needed([end]):
        depends = tuple(value in dependent for value in node.inputs)
        if not any(depends):
            continue
        dependent.update(node.outputs)
        if (body := node.body) is None:
            yield Part(node, depends)
        else:
            inside = {value for value, does in zip(body.inputs, depends, strict=True) if does}
            yield from parts_between(body, inside, body.outputs[0])


def unlike(parts: Sequence[Part], holds: Callable[[Node, Sequence[bool]], bool]) -> tuple[str, ...]:
    """The names of the nodes for which `holds(node, depends)` is false, each once."""
    return tuple(dict.fromkeys(part.node.name for part in parts if not holds(*part)))


def summands(node: Node) -> range:
    """The positions of the inputs in which the node is linear, taken together; none for a product."""
    return range(len(node.inputs))[primitive(node.name).linear_in]


def is_linear(node: Node, depends: Sequence[bool], *, affine: bool = False) -> bool:
    """Whether the node is linear in the inputs that depend on the value in question, with the others constant.

    `depends` has one flag per input. With `affine`, constants may be among the summands; otherwise they must be zero.
    A custom_jvp or custom_vjp call is linear if its body is, whatever its derivative.
    """
    return _is_of_reals(node, depends) and _is_linear(node, depends, affine)


is_affine = partial(is_linear, affine=True)


def is_piecewise_linear(node: Node, depends: Sequence[bool]) -> bool:
    """Whether the node is linear, affine or constant between the places where it bends or jumps."""
    only_integers = not any(map(_is_real, _dependent(node, depends)))
    return only_integers or node.name in PIECEWISE_LINEAR or _is_linear(node, depends, affine=True)


def _is_linear(node: Node, depends: Sequence[bool], affine: bool) -> bool:
    if (body := node.body) is not None:
        return _is_linear_inside(body, depends, affine)
    if node.name in PRODUCTS:
        return sum(depends) == 1
    added = summands(node)
    if any(does and i not in added for i, does in enumerate(depends)):
        return False
    return affine or all(depends[i] or node.inputs[i].is_number(lambda number: number == 0) for i in added)


def _is_linear_inside(body: Graph, depends: Sequence[bool], affine: bool) -> bool:
    dependent = {value for value, does in zip(body.inputs, depends, strict=True) if does}
    for node in body.needed(body.outputs):
        if any(inside := [value in dependent for value in node.inputs]):
            if not is_linear(node, inside, affine=affine):
                return False
            dependent.update(node.outputs)
    return True


def _is_of_reals(node: Node, depends: Sequence[bool]) -> bool:
    """Whether the node maps real or complex numbers to such numbers; integers overflow, and rounding to them jumps."""
    return all(map(_is_real, (*_dependent(node, depends), *node.outputs)))


def _dependent(node: Node, depends: Sequence[bool]) -> list[Value]:
    return [value for value, does in zip(node.inputs, depends, strict=True) if does]


def _is_real(value: Value) -> bool:
    return jnp.issubdtype(value.dtype, jnp.inexact)
