"""How a model uses its variables: in which order, and which of them it applies to maps that were flattened.

PyTorch flattens maps as `[c h w]`, Flax as `[h w c]`, so that a dense layer or a normalization after that has its
features in another order. The model's graph tells where that is, and what the order is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.primitives import CUSTOM_CALLS, ELEMENTWISE

Flat = dict[Value, np.ndarray]  # the place that PyTorch has each number of a value at, of the value's shape


@dataclass
class Uses:
    """By the variable's number among the leaves.

    `first` is the number of the node where it meets the images. `order` has, for those that are applied to flattened
    maps, the place in PyTorch of each feature here. `upsampling` are kernels of transposed convolutions, which Flax
    applies to the dilated input as they are; with `transpose_kernel=True` they are reversed first, as in PyTorch.
    """

    first: dict[int, int] = field(default_factory=dict)
    order: dict[int, np.ndarray] = field(default_factory=dict)
    upsampling: set[int] = field(default_factory=set)


def uses_of(function: Callable[[Any, Any], Any], variables: Any, image_shape: Any) -> Uses:
    """How `function(variables, images)` uses the variables, of which only shapes are needed; nothing is computed.

    `image_shape` is (h, w, c), or one row of what the function takes as `jax.ShapeDtypeStruct`s.
    """
    leaves, structure = jax.tree.flatten(variables)
    is_shape = isinstance(image_shape, list | tuple)
    images = jax.ShapeDtypeStruct((1, *image_shape), np.float32) if is_shape else image_shape
    graph, _ = Graph.of(lambda leaves, images: function(jax.tree.unflatten(structure, leaves), images), leaves, images)
    weights, inputs = graph.inputs[: len(leaves)], graph.inputs[len(leaves) :]
    origins = {value: {i} for i, value in enumerate(weights)}  # of what does not depend on the image
    depends, flat, uses, reversed_ = {*inputs}, Flat(), Uses(), set()
    for number, node in enumerate(graph.nodes):
        met = set().union(*(origins.get(value, ()) for value in node.inputs))
        if not depends.intersection(node.inputs):
            origins.update(dict.fromkeys(node.outputs, met))
            reversed_.update(node.outputs if node.name == "rev" or reversed_.intersection(node.inputs) else ())
            continue
        depends.update(node.outputs)
        if _upsamples(node) and not reversed_.intersection(node.inputs):
            uses.upsampling |= met
        order = _order(graph, node, flat)
        for leaf in met:
            uses.first.setdefault(leaf, number)
            if order is not None:
                uses.order.setdefault(leaf, order)
    return uses


def _upsamples(node: Node) -> bool:
    return node.name == "conv_general_dilated" and max(node.params["lhs_dilation"], default=1) > 1


def _order(graph: Graph, node: Node, flat: Flat) -> np.ndarray | None:
    """The order of the features that a node applies variables to, if they are flattened maps; notes that of its output.

    A dense layer's are those of its input, and any other's those of its output.
    """
    output = node.outputs[0]
    if (places := _moved(graph, node, flat)) is not None:
        flat[output] = places
    value = node.inputs[0] if node.name == "dot_general" else output
    return flat[value][0] if value in flat and len(value.shape) == 2 else None


def _moved(graph: Graph, node: Node, flat: Flat) -> np.ndarray | None:
    """The places of a node's output, if it moves the numbers of maps or changes each by itself."""
    first, shape = node.inputs[0], node.outputs[0].shape
    if node.name in ("reshape", "squeeze", "transpose"):
        maker = graph.maker(first)
        is_maps = maker is None or maker.name != "dot_general"  # which has axes in an order of its own
        places = flat[first] if first in flat else _as_maps(first.shape) if is_maps else None
        if places is not None:
            return places.transpose(node.params["permutation"]) if node.name == "transpose" else places.reshape(shape)
    elif node.name == "concatenate" and flat.keys() & set(node.inputs) and node.params["dimension"] == len(shape) - 1:
        return _joined(node.inputs, flat)
    elif node.name in ELEMENTWISE | CUSTOM_CALLS:
        return next((flat[value] for value in node.inputs if value in flat and value.shape == shape), None)
    return None


def _as_maps(shape: tuple[int, ...]) -> np.ndarray | None:
    """The places of one image's maps `[1 ... c]`, which PyTorch has as `[1 c ...]`; None for anything else."""
    if len(shape) < 3 or shape[0] != 1:
        return None
    return np.moveaxis(np.arange(np.prod(shape)).reshape(1, shape[-1], *shape[1:-1]), 1, -1)


def _joined(values: tuple[Value, ...], flat: Flat) -> np.ndarray | None:
    """The places of vectors of features, one after the other."""
    if any(len(value.shape) != 2 for value in values):
        return None
    starts = np.cumsum([0, *(value.shape[1] for value in values)])
    parts = [flat.get(value, np.arange(value.shape[1])[None]) for value in values]
    return np.concatenate([part + start for part, start in zip(parts, starts[:-1], strict=True)], axis=1)
