"""Whether a part of a graph is linear, or linear in pieces, in one of its values: a few methods hold only there."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from cnnviz.graph import Graph, Node, Value

SHAPE_ONLY = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "convert_element_type", "copy"}
SHAPE_ONLY |= {"rev", "slice", "dynamic_slice", "gather", "concatenate", "pad"}
SUMS = {"add", "sub", "neg", "add_any", "reduce_sum", "reduce_window_sum", "cumsum"}
PRODUCTS = {"mul", "dot_general", "conv_general_dilated"}  # linear in one factor
LINEAR = SHAPE_ONLY | SUMS
PIECEWISE_LINEAR = LINEAR | {"max", "min", "clamp", "abs", "sign", "select_n", "reduce_max", "reduce_min"}
PIECEWISE_LINEAR |= {"reduce_window_max", "reduce_window_min", "stop_gradient"}
PIECEWISE_LINEAR |= {"gt", "ge", "lt", "le", "eq", "ne", "and", "or", "not", "is_finite", "argmax", "argmin"}


class Part(NamedTuple):
    """A node that depends on the value in question, and which of its inputs do."""

    node: Node
    depends: tuple[bool, ...]


def between(graph: Graph, start: Value, end: Value) -> list[Part]:
    """The nodes from `start` to `end`, in order; the insides of custom_jvp and custom_vjp calls in their place."""
    return list(parts_between(graph, {start}, end))


def parts_between(graph: Graph, dependent: set[Value], end: Value) -> Iterator[Part]:
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


def unlike(parts: Sequence[Part], allowed: Collection[str]) -> tuple[str, ...]:
    """The names of the nodes that are not among the allowed, nor a product with something that does not depend."""
    return tuple(dict.fromkeys(part.node.name for part in parts if not _is_like(part, allowed)))


def _is_like(part: Part, allowed: Collection[str]) -> bool:
    name = part.node.name
    if name in PRODUCTS:
        return sum(part.depends) == 1
    return name in allowed or name == "div" and not part.depends[1]
