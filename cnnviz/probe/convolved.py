"""A layer's convolution: what goes into it, what comes out with its bias, and what the non-linearity after it makes."""

from typing import Any, NamedTuple

from cnnviz.errors import InputError
from cnnviz.graph import Value
from cnnviz.graph.flow import Flow
from cnnviz.graph.graph import Node
from cnnviz.probe.trace import Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Array, VariablesLike


class Convolved(NamedTuple):
    """The values `[n, *sides, c]` before a convolution, after it with its bias, and after the non-linearity.

    The last is None without one; else `name` is its layer, `function` what it is, such as "relu", and `between` are the
    layers before it that change the values too, such as a normalization.
    """

    taken: Array
    made: Array
    bent: Array | None
    name: str = ""
    function: str = ""
    between: tuple[str, ...] = ()


def convolved(model: Any, variables: VariablesLike, images: Any, layer: str) -> Convolved:
    """What the convolution of this layer takes and makes for the images, floats `[n, *sides, c]`.

    Raises InputError if there is no such layer, or if it is not one convolution.
    """
    variables = as_variables(variables)
    traced = trace(model, variables, images, {})
    (name,) = traced.find(layer)[:1]
    flow = Flow(traced.graph, list(traced.images.values()))
    node = _convolution(flow, traced.value(name), set(traced.values.values()), layer)
    adds = lambda each: each.name == "add" and each.labels == node.labels and len(flow.read(each)) == 1
    made = flow.onward(node.outputs[0], adds)
    bent, between = _bent(traced, flow, made)
    wanted = [node.inputs[0], made] if bent is None else [node.inputs[0], made, traced.value(bent)]
    taken, made, *after = traced.compute(variables, images, {}, wanted)
    if bent is None:
        return Convolved(taken, made, None)
    return Convolved(taken, made, after[0], bent, traced.layers[bent].function, between)


def _convolution(flow: Flow, value: Value, named: set[Value], layer: str) -> Node:
    """The convolution that the layer's value comes from by functions of one value that no other layer is."""
    end = value
    while (node := flow.graph.maker(value)) is not None and len(read := flow.read(node)) == 1:
        if node.name == "conv_general_dilated" and set(node.params["lhs_dilation"]) == {1}:
            return node
        (value,) = read
        if value in named - {end}:
            break
    raise InputError(f"The layer {layer!r} is not a convolution.")


def _bent(traced: Trace, flow: Flow, made: Value) -> tuple[str | None, tuple[str, ...]]:
    """The first non-linearity of this shape that is reached only through the convolution, and the layers between."""
    for name, named in traced.layers.items():
        if not named.bends or named.value.shape != made.shape:
            continue
        passed: list[Value] = []
        value = flow.parent.get(named.value)
        while value is not None and value is not made:
            passed.append(value)
            value = flow.parent.get(value)
        if value is made:
            return name, tuple(one for one, each in traced.layers.items() if each.value in passed)
    return None, ()
