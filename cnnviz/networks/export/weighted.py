"""Convolutions and matrix products as Keras's layers, with the bias that follows them."""

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from cnnviz.graph.graph import Node
from cnnviz.networks.export.conversion import Reading
from cnnviz.networks.export.scaling import Chain, total
from cnnviz.networks.export.windows import around, pads_of


def convolution(reading: Reading, node: Node) -> None:
    """Conv1D to Conv3D, or a depthwise one, on images whose channels are last."""
    p = node.params
    images, kernel, output = p["dimension_numbers"]
    if node.inputs[1] in reading.depends or images[0] != 0 or p["batch_group_count"] != 1 or max(p["lhs_dilation"]) > 1:
        raise reading.cannot(node, "a transposed convolution, or one whose kernel depends on the image")
    x = _ordered(reading, node, reading.tensor(node), (*images[2:], images[1]))
    weights = np.transpose(reading.constants[node.inputs[1]], (*kernel[2:], kernel[1], kernel[0]))
    is_last = tuple(output) == (0, len(output) - 1, *range(1, len(output) - 1))
    chain = bias_of(reading, node) if is_last else []
    y = _convolved(reading, node, x, weights.astype(np.float32), chain)
    order = [0, *(1 + [*output[2:], output[1]].index(axis) for axis in range(1, len(output)))]
    reading.bind(node.outputs[0], y if is_last else _permuted(reading, y, order[1:]), chain)


def _convolved(reading: Reading, node: Node, x: Any, kernel: np.ndarray, chain: Chain) -> Any:
    p, sides = node.params, kernel.ndim - 2
    size, groups, (inner, outer) = kernel.shape[:sides], p["feature_group_count"], kernel.shape[sides:]
    pads, strides, dilation = list(p["padding"]), tuple(p["window_strides"]), tuple(p["rhs_dilation"])
    if max(strides) > 1 and max(dilation) > 1:
        raise reading.cannot(node, "a convolution with both strides and dilation")
    word = pads_of(x.shape[1:-1], size, strides, dilation, pads)
    x = x if word else around(reading, node, x, pads)
    named: dict[str, Any] = {"strides": strides, "padding": word or "valid", "dilation_rate": dilation}
    named |= {"use_bias": bool(chain), "name": reading.label(last_of(node, chain), "conv")}
    bias = [total(chain).offset] if chain else []
    if inner == 1 and groups == x.shape[-1] > 1 and sides < 3 and len(set(strides)) == 1:
        made = getattr(reading.keras.layers, f"DepthwiseConv{sides}D")
        weights = kernel.reshape(*size, groups, outer // groups)
        return reading.whole.layer(made(size, depth_multiplier=outer // groups, **named), x, weights=[weights, *bias])
    made = getattr(reading.keras.layers, f"Conv{sides}D")
    return reading.whole.layer(made(outer, size, groups=groups, **named), x, weights=[kernel, *bias])


def bias_of(reading: Reading, node: Node) -> Chain:
    """The sums with constants after a weighted node, in the code of the same module."""
    chain = reading.chain(node.outputs[0], labels=node.labels)
    end = next((i for i, (each, affine) in enumerate(chain) if not (affine.scale == 1).all()), len(chain))
    return chain[:end]


def last_of(node: Node, chain: Chain) -> Node:
    """The node whose value a layer with a bias gives."""
    return chain[-1][0] if chain else node


def product(reading: Reading, node: Node) -> None:
    """Dense, for a product of the last axis with a constant matrix; else an einsum."""
    (left, right), batched = node.params["dimension_numbers"]
    is_dense = node.inputs[0] in reading.tensors and node.inputs[1] not in reading.depends and not any(batched)
    if is_dense and tuple(left) == (len(node.inputs[0].shape) - 1,) and len(node.inputs[1].shape) == 2:
        kernel = reading.constants[node.inputs[1]]
        kernel = kernel if right[0] == 0 else kernel.T
        chain = bias_of(reading, node)
        name = reading.label(last_of(node, chain), "dense")
        layer = reading.keras.layers.Dense(kernel.shape[1], use_bias=bool(chain), name=name)
        weights = [kernel.astype(np.float32), *([total(chain).offset] if chain else [])]
        y = reading.whole.layer(layer, reading.tensor(node), weights=weights)
        return reading.bind(node.outputs[0], y, chain)
    operands = [reading.tensors[v] if v in reading.tensors else reading.constants[v] for v in node.inputs]
    reading.bind(node.outputs[0], reading.keras.ops.einsum(_subscripts(node), *operands))


def _subscripts(node: Node) -> str:
    """The product in Einstein's notation: batched axes, then the free ones of both, as XLA orders them."""
    (left, right), (one, other) = node.params["dimension_numbers"]
    names = [list(ascii_letters[: len(node.inputs[0].shape)]), list(ascii_letters[26 : 26 + len(node.inputs[1].shape)])]
    for mine, yours in ((left, right), (one, other)):
        for axis, place in zip(mine, yours, strict=True):
            names[1][place] = names[0][axis]
    free = [[n for i, n in enumerate(names[0]) if i not in (*left, *one)]]
    free += [[n for i, n in enumerate(names[1]) if i not in (*right, *other)]]
    out = [names[0][axis] for axis in one] + free[0] + free[1]
    return f"{''.join(names[0])},{''.join(names[1])}->{''.join(out)}"


def _ordered(reading: Reading, node: Node, x: Any, order: Sequence[int]) -> Any:
    return x if list(order) == list(range(1, len(order) + 1)) else _permuted(reading, x, order)


def _permuted(reading: Reading, x: Any, order: Sequence[int]) -> Any:
    return reading.keras.layers.Permute(tuple(order), name=reading.whole.unique("permute"))(x)
