"""Pooling, padding and reductions as Keras's layers."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from cnnviz.graph.graph import Node
from cnnviz.graph.operations import called
from cnnviz.networks.export.conversion import Affine, Reading
from cnnviz.networks.export.scaling import normalized

Pads = Sequence[tuple[int, int]]
LOWEST = float(np.finfo(np.float32).min)  # in place of minus infinity, which JSON does not have


def same_pads(sides: Sequence[int], size: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> Pads:
    """What "same" pads with in Keras: as much after as before, or one more."""
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    sums = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(sides, reach, strides, strict=True)]
    return [(total // 2, total - total // 2) for total in sums]


def pads_of(
    sides: Sequence[int], size: Sequence[int], strides: Sequence[int], dilation: Sequence[int], pads: Pads
) -> str:
    """Keras's word for a padding, "valid" or "same"; empty if it has none."""
    given = [tuple(pad) for pad in pads]
    if not any(map(any, given)):
        return "valid"
    return "same" if given == [tuple(pad) for pad in same_pads(sides, size, strides, dilation)] else ""


def around(reading: Reading, node: Node, x: Any, pads: Pads, value: float = 0.0) -> Any:
    """The tensor with its sides padded, or cropped where a padding is negative."""
    layers, sides = reading.keras.layers, len(pads)
    if cuts := [(max(-low, 0), max(-high, 0)) for low, high in pads if min(low, high) < 0]:
        cuts = [(max(-low, 0), max(-high, 0)) for low, high in pads]
        x = getattr(layers, f"Cropping{sides}D")(dimensions(cuts), name=reading.whole.unique("cropping"))(x)
        pads = [(max(low, 0), max(high, 0)) for low, high in pads]
    if not any(map(any, pads)):
        return x
    if value == 0:
        return getattr(layers, f"ZeroPadding{sides}D")(dimensions(pads), name=reading.whole.unique("padding"))(x)
    return reading.keras.ops.pad(x, [(0, 0), *map(tuple, pads), (0, 0)], constant_values=value)


def dimensions(pads: Pads) -> Any:
    """Pairs as Keras's layers take them: of one side the pair itself."""
    return tuple(pads[0]) if len(pads) == 1 else tuple(map(tuple, pads))


def _pooled(reading: Reading, node: Node, kind: str, value: float) -> Any:
    """The output of a pooling layer and the number of its values."""
    p = node.params
    size, strides, pads = (tuple(p[n]) for n in ("window_dimensions", "window_strides", "padding"))
    dilated = any(max(p.get(name) or (1,)) > 1 for name in ("base_dilation", "window_dilation"))
    is_odd = (size[0], size[-1], strides[0], strides[-1]) != (1, 1, 1, 1) or any(pads[0]) or any(pads[-1])
    if dilated or is_odd or not 3 <= len(size) <= 5:
        raise reading.cannot(node, "pooling over channels, or with holes")
    x, ones = reading.tensor(node), (1,) * (len(size) - 2)
    word = pads_of(x.shape[1:-1], size[1:-1], strides[1:-1], ones, pads[1:-1])
    if word == "same" and kind == "Average":  # Keras does not count what it pads with
        word = ""
    x = x if word else around(reading, node, x, pads[1:-1], value)
    made = getattr(reading.keras.layers, f"{kind}Pooling{len(ones)}D")
    return made(size[1:-1], strides=strides[1:-1], padding=word or "valid", name=reading.label(node, "pool"))(x)


def maximum_pool(reading: Reading, node: Node) -> None:
    """MaxPooling."""
    reading.bind(node.outputs[0], _pooled(reading, node, "Max", LOWEST))


def sum_pool(reading: Reading, node: Node) -> None:
    """AveragePooling times the size of the window, which the division that follows takes away."""
    _times(reading, node, _pooled(reading, node, "Average", 0.0), prod(node.params["window_dimensions"]))


def _times(reading: Reading, node: Node, mean: Any, count: int) -> None:
    """Binds a mean times the number of its values, and the scaling after it."""
    value = node.outputs[0]
    chain = reading.chain(value, most=1)
    if not value.shape[1:]:
        return reading.bind(value, mean * float(count))
    ones = np.ones(value.shape[-1], np.float32)
    first = (node, Affine(count * ones, 0 * ones))
    reading.bind(value, normalized(reading, [first, *chain], mean), chain)


def reduced(reading: Reading, node: Node, mean: bool = False) -> None:
    """A sum, maximum or minimum over axes; over all sides of maps, global pooling."""
    shape, axes = node.inputs[0].shape, tuple(node.params["axes"])
    if 0 in axes:
        raise reading.cannot(node, f"{called(node.name)} over images")
    x, name = reading.tensor(node), node.name.removeprefix("reduce_")
    if axes == tuple(range(1, len(shape) - 1)) and 3 <= len(shape) <= 5 and name != "min":
        kind = "Average" if mean else "Max"
        made = getattr(reading.keras.layers, f"Global{kind}Pooling{len(axes)}D")
        y = made(name=reading.label(node, "pool"))(x)
        return _times(reading, node, y, prod(shape[a] for a in axes)) if mean else reading.bind(node.outputs[0], y)
    reading.bind(node.outputs[0], getattr(reading.keras.ops, name)(x, axis=axes))


def padded(reading: Reading, node: Node) -> None:
    """A value with a constant around it."""
    config, value = node.params["padding_config"], reading.operand(node, 1)
    pads = [(int(low), int(high)) for low, high, _ in config]
    if any(inner for *_, inner in config) or any(pads[0]) or not isinstance(value, int | float):
        raise reading.cannot(node, "padding between values, or of images")
    x = reading.tensor(node)
    if 3 <= len(pads) <= 5 and not any(pads[-1]):
        return reading.bind(node.outputs[0], around(reading, node, x, pads[1:-1], float(value)))
    if min(map(min, pads)) < 0:
        raise reading.cannot(node, "a negative padding of channels")
    reading.bind(node.outputs[0], reading.keras.ops.pad(x, pads, constant_values=value))
