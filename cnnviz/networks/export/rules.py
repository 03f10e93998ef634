"""RULES: what each primitive is in Keras, a function of the reading and the node that binds the node's output."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from cnnviz.graph.graph import Node
from cnnviz.networks.export.conversion import Reading
from cnnviz.networks.export.scaling import scaled
from cnnviz.networks.export.weighted import convolution, product
from cnnviz.networks.export.windows import maximum_pool, padded, reduced, sum_pool

Rule = Callable[[Reading, Node], None]
FUNCTIONS = {
    "abs": "abs",
    "ceil": "ceil",
    "cos": "cos",
    "erf": "erf",
    "exp": "exp",
    "expm1": "expm1",
    "floor": "floor",
    "log": "log",
    "log1p": "log1p",
    "logistic": "sigmoid",
    "round": "round",
    "rsqrt": "rsqrt",
    "sign": "sign",
    "sin": "sin",
    "sqrt": "sqrt",
    "square": "square",
    "tanh": "tanh",
}
LAYERS = {"logistic": "sigmoid", "tanh": "tanh"}  # functions that are activations
BINARY = {
    "add": "add",
    "add_any": "add",
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "max": "maximum",
    "min": "minimum",
    "pow": "power",
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "lt": "less",
    "le": "less_equal",
    "and": "logical_and",
    "or": "logical_or",
}
MERGES = {"add": "Add", "add_any": "Add", "mul": "Multiply", "sub": "Subtract", "max": "Maximum", "min": "Minimum"}


def function(reading: Reading, node: Node) -> None:
    """An elementwise function of one value."""
    x = reading.tensor(node)
    if (name := LAYERS.get(node.name)) is not None:
        layer = reading.keras.layers.Activation(name, name=reading.label(node, name))
        return reading.bind(node.outputs[0], layer(x))
    reading.bind(node.outputs[0], getattr(reading.keras.ops, FUNCTIONS[node.name])(x))


def binary(reading: Reading, node: Node) -> None:
    """A function of two values: a scaling by constants, a merging layer, or an operation."""
    if sum(value in reading.tensors for value in node.inputs) == 1:
        if node.name == "max" and _is_zero(reading, node):
            return rectified(reading, node)
        if scaled(reading, node):
            return
    one, other = (reading.operand(node, place) for place in (0, 1))
    both = all(value in reading.tensors for value in node.inputs)
    if both and node.name in MERGES and one is not other:
        layer = getattr(reading.keras.layers, MERGES[node.name])(name=reading.label(node, MERGES[node.name].lower()))
        return reading.bind(node.outputs[0], layer([one, other]))
    reading.bind(node.outputs[0], getattr(reading.keras.ops, BINARY[node.name])(one, other))


def _is_zero(reading: Reading, node: Node) -> bool:
    return any(value not in reading.tensors and not reading.constants[value].any() for value in node.inputs)


def rectified(reading: Reading, node: Node) -> None:
    """ReLU, with the bound that follows it, if one does."""
    place = 0 if node.inputs[0] in reading.tensors else 1
    after, most, last = reading.only_reader(node.outputs[0]), None, node
    if after is not None and after.name == "min" and sum(value in reading.depends for value in after.inputs) == 1:
        bound = reading.operand(after, 1 if after.inputs[0] in reading.depends else 0)
        most, last = (bound, after) if isinstance(bound, float | int) else (None, node)
    layer = reading.keras.layers.ReLU(max_value=most, name=reading.label(last, "relu"))
    reading.done.add(last)
    reading.bind(last.outputs[0], layer(reading.tensor(node, place)))


def power(reading: Reading, node: Node) -> None:
    """A power with a whole exponent."""
    reading.bind(node.outputs[0], reading.keras.ops.power(reading.tensor(node), float(node.params["y"])))


def negative(reading: Reading, node: Node) -> None:
    """The value with the other sign."""
    reading.bind(node.outputs[0], reading.keras.ops.negative(reading.tensor(node)))


def complement(reading: Reading, node: Node) -> None:
    """erfc(x) = 1 - erf(x)."""
    reading.bind(node.outputs[0], 1.0 - reading.keras.ops.erf(reading.tensor(node)))


def bounded(reading: Reading, node: Node) -> None:
    """A value clipped between two constants."""
    low, high = reading.operand(node, 0), reading.operand(node, 2)
    reading.bind(node.outputs[0], reading.keras.ops.clip(reading.tensor(node, 1), low, high))


def chosen(reading: Reading, node: Node) -> None:
    """One of two values by a condition."""
    if len(node.inputs) != 3:
        raise reading.cannot(node)
    condition, false, true = (reading.operand(node, place) for place in range(3))
    reading.bind(node.outputs[0], reading.keras.ops.where(condition, true, false))


def reshaped(reading: Reading, node: Node) -> None:
    """Values in the same order in another shape, which keeps the axis of the images."""
    before, after = node.inputs[0].shape, node.outputs[0].shape
    if not after or before[0] != after[0]:
        raise reading.cannot(node, f"a reshape from {before[1:]} that mixes images")
    x, layers = reading.tensor(node), reading.keras.layers
    if len(after) == 2:
        layer = layers.Flatten(name=reading.label(node, "flatten"))
    else:
        layer = layers.Reshape(tuple(after[1:]), name=reading.label(node, "reshape"))
    reading.bind(node.outputs[0], layer(x))


def broadcast(reading: Reading, node: Node) -> None:
    """New axes of length one; longer ones are left to what reads the value."""
    axes, after = node.params["broadcast_dimensions"], node.outputs[0].shape
    if not axes or axes[0] != 0:
        raise reading.cannot(node, "a value repeated for each image")
    shape = tuple(node.inputs[0].shape[axes.index(axis)] if axis in axes else 1 for axis in range(1, len(after)))
    x = reading.tensor(node)
    if shape != tuple(x.shape[1:]):
        x = reading.keras.layers.Reshape(shape, name=reading.label(node, "reshape"))(x)
    reading.bind(node.outputs[0], x)


def permuted(reading: Reading, node: Node) -> None:
    """Axes in another order."""
    order = node.params["permutation"]
    if order[0] != 0:
        raise reading.cannot(node, "a transposition of images")
    layer = reading.keras.layers.Permute(tuple(order[1:]), name=reading.label(node, "transpose"))
    reading.bind(node.outputs[0], layer(reading.tensor(node)))


def joined(reading: Reading, node: Node) -> None:
    """Values one after the other along an axis."""
    axis = node.params["dimension"]
    if axis == 0:
        raise reading.cannot(node, "images joined to images")
    layer = reading.keras.layers.Concatenate(axis, name=reading.label(node, "concatenate"))
    reading.bind(node.outputs[0], layer([reading.tensor(node, place) for place in range(len(node.inputs))]))


def sliced(reading: Reading, node: Node) -> None:
    """A part of a value."""
    p, shape = node.params, node.inputs[0].shape
    strides = p["strides"] or (1,) * len(shape)
    if (p["start_indices"][0], p["limit_indices"][0], strides[0]) != (0, shape[0], 1):
        raise reading.cannot(node, "a choice of images")
    parts = [slice(*each) for each in zip(p["start_indices"], p["limit_indices"], strides, strict=True)]
    reading.bind(node.outputs[0], reading.tensor(node)[(slice(None), *parts[1:])])


def split(reading: Reading, node: Node) -> None:
    """Parts of a value along an axis."""
    x, ends = reading.tensor(node), np.cumsum(node.params["sizes"]).tolist()
    for value, low, high in zip(node.outputs, [0, *ends], ends, strict=False):
        index: list[Any] = [slice(None)] * node.params["axis"]
        reading.bind(value, x[(*index, slice(low, high))])


RULES: dict[str, Rule] = {
    **dict.fromkeys(FUNCTIONS, function),
    **dict.fromkeys(BINARY, binary),
    "integer_pow": power,
    "neg": negative,
    "erfc": complement,
    "clamp": bounded,
    "select_n": chosen,
    "reshape": reshaped,
    "squeeze": reshaped,
    "expand_dims": reshaped,
    "broadcast_in_dim": broadcast,
    "transpose": permuted,
    "concatenate": joined,
    "slice": sliced,
    "split": split,
    "pad": padded,
    "conv_general_dilated": convolution,
    "dot_general": product,
    "reduce_window_max": maximum_pool,
    "reduce_window_sum": sum_pool,
    "reduce_sum": partial(reduced, mean=True),
    "reduce_max": reduced,
    "reduce_min": reduced,
}
