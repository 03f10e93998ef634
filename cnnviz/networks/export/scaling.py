"""Scalings by constants in Keras: BatchNormalization with the statistics that it had, or a plain one, or Rescaling."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cnnviz.graph import Value
from cnnviz.graph.graph import Node
from cnnviz.graph.primitives import IDENTITIES, RESHAPES
from cnnviz.networks.export.conversion import Affine, Reading, Step, per_channel

Channels = Float[np.ndarray, " c"]
Chain = Sequence[Step]


class Normalization(NamedTuple):
    """The variance and the epsilon of a normalization, and what it is multiplied by."""

    variance: Channels
    epsilon: float
    gamma: Channels


def scaled(reading: Reading, node: Node) -> bool:
    """Binds what a scaling and those after it in the same module make of a value; whether the node is one."""
    place = 0 if node.inputs[0] in reading.tensors else 1
    value = node.inputs[place]
    if not value.shape or node.outputs[0].shape != value.shape:
        return False
    first = reading.affine(node, value.shape[-1])
    if first is None:
        return False
    chain = [(node, first), *reading.chain(node.outputs[0], labels=node.labels)]
    reading.bind(value, normalized(reading, chain, reading.tensor(node, place)), chain)
    return True


def total(chain: Chain) -> Affine:
    """All scalings of a chain as one."""
    return reduce(lambda done, each: each.after(done), (affine for _, affine in chain))


def normalized(reading: Reading, chain: Chain, x: Any) -> Any:
    """The tensor after a chain of scalings."""
    affine, layers, last = total(chain), reading.keras.layers, chain[-1][0]
    if affine.is_identity:
        return x
    if all((each == each[0]).all() for each in affine):
        scale, offset = (float(each[0]) for each in affine)
        return layers.Rescaling(scale, offset, name=reading.label(last, "rescaling"))(x)
    found = next((found for node, _ in chain if (found := _normalization(reading, node))), None)
    found = found or Normalization(np.ones_like(affine.scale), 0.0, affine.scale)
    first = chain[0][1]
    mean = -first.offset if (first.scale == 1).all() and len(chain) > 1 else np.zeros_like(affine.offset)
    weights = [found.gamma, affine.offset + mean * affine.scale, mean, found.variance]
    layer = layers.BatchNormalization(epsilon=found.epsilon, name=reading.label(last, "scale"))
    return reading.whole.layer(layer, x, weights=weights)


def _normalization(reading: Reading, node: Node) -> Normalization | None:
    """What a product multiplies by, if that is gamma / sqrt(variance + epsilon)."""
    if node.name != "mul":
        return None
    channels = node.outputs[0].shape[-1]
    constant = next(value for value in node.inputs if value not in reading.depends)
    maker, gamma = _maker(reading, constant), np.ones(channels, np.float32)
    if maker is not None and maker.name == "mul":
        roots = [value for value in maker.inputs if _named(reading, value, "rsqrt")]
        if len(roots) != 1:
            return None
        other = next(value for value in maker.inputs if value is not roots[0])
        found = _channels(reading, other, channels)
        if found is None:
            return None
        gamma, maker = found, _maker(reading, roots[0])
    if maker is None or maker.name != "rsqrt" or not (inner := _maker(reading, maker.inputs[0])) or inner.name != "add":
        return None
    variance, epsilon = (_channels(reading, value, channels) for value in inner.inputs)
    if variance is None or epsilon is None or not (epsilon == epsilon[0]).all():
        return None
    return Normalization(variance, float(epsilon[0]), gamma)


def _maker(reading: Reading, value: Value) -> Node | None:
    """The node that computes a constant, before changes of its shape."""
    node = reading.graph.maker(value)
    while node is not None and node.name in RESHAPES | IDENTITIES | {"broadcast_in_dim"}:
        node = reading.graph.maker(node.inputs[0])
    return node


def _named(reading: Reading, value: Value, name: str) -> bool:
    node = _maker(reading, value)
    return node is not None and node.name == name


def _channels(reading: Reading, value: Value, channels: int) -> Channels | None:
    (array,) = reading.graph.evaluate(reading.arrays, [value])
    return per_channel(np.asarray(array), channels)
