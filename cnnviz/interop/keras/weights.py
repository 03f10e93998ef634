"""The variables of an imported Keras model: each weight is checked against the layer's shapes, and read."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict

from cnnviz.interop.keras import hdf5
from cnnviz.interop.keras.expected import Leaf, Path, Shape
from cnnviz.interop.keras.places import Layers, Places
from cnnviz.interop.linen.convolution import DepthwiseConv, SeparableConv
from cnnviz.interop.linen.graph import Graph
from cnnviz.types import Variables


def read_variables(model: Graph, layers: Layers, places: Places, file: hdf5.Group) -> Variables:
    """The model's variables as float32, from their places in the file.

    Raises InputError if a weight is missing, damaged, or of another shape than the layer's.
    """
    found: dict[tuple[str, ...], Any] = {}
    for path, expected in layers.items():
        layer = layer_at(model, path)
        for leaf, shape in expected.items():
            weight = hdf5.array(file, places[path, leaf], _shape_in_file(layer, leaf, shape)).reshape(shape)
            found[(leaf[0], *path, *leaf[1:])] = jnp.asarray(weight)
    return unflatten_dict(found)


def with_constants(model: Graph, constants: Mapping[str, Any]) -> Graph:
    """The model with the statistics of data that its layers had as variables as fields, which no draw replaces."""
    layers = []
    for name, layer in model.layers:
        found = constants.get(name)
        if found is not None and isinstance(layer, Graph):
            layer = with_constants(layer, found)
        elif found is not None:
            mean, variance = (tuple(np.ravel(found[leaf]).tolist()) for leaf in ("mean", "var"))
            layer = layer.clone(mean=mean, variance=variance)
        layers.append((name, layer))
    return model.clone(layers=tuple(layers))


def layer_at(model: Graph, path: Path) -> nn.Module:
    """The layer at this path."""
    layer: Any = model
    for name in path:
        layer = dict(layer.layers)[name]
    return layer


def _shape_in_file(layer: nn.Module, leaf: Leaf, shape: Shape) -> Shape:
    """A depthwise kernel is [h, w, in, multiplier] in the file and [h, w, 1, in * multiplier] here, in one order."""
    depthwise = isinstance(layer, DepthwiseConv) or (isinstance(layer, SeparableConv) and "depthwise" in leaf)
    if depthwise and leaf[-1] == "kernel":
        return (*shape[:-2], shape[-1] // layer.depth_multiplier, layer.depth_multiplier)
    return shape
