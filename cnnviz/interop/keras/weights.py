"""The variables of an imported Keras model: each weight is checked against the layer's shapes, and read."""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict

from cnnviz.errors import InputError
from cnnviz.interop.keras import hdf5
from cnnviz.interop.keras.expected import Leaf, Path, Shape
from cnnviz.interop.keras.places import Layers, Places
from cnnviz.interop.linen.convolution import DepthwiseConv, SeparableConv
from cnnviz.interop.linen.graph import Graph
from cnnviz.types import Variables

SHOWN = 5  # faults in an error


def read_variables(
    model: Graph, layers: Layers, places: Places, file: hdf5.Group, faults: Sequence[str] = ()
) -> Variables:
    """The model's variables as float32, from their places in the file; `faults` are those of the places.

    Raises InputError if a weight is missing, damaged, or of another shape than the layer's, or if there are faults. Of
    several, it counts the arrays that fit and has the first five.
    """
    told = list(faults)
    found: dict[tuple[str, ...], Any] = {}
    for path, expected in layers.items():
        layer = layer_at(model, path)
        for leaf, shape in expected.items():
            if (path, leaf) not in places:
                continue
            try:
                weight = hdf5.array(file, places[path, leaf], _shape_in_file(layer, leaf, shape)).reshape(shape)
            except InputError as error:
                told.append(str(error))
            else:
                found[(leaf[0], *path, *leaf[1:])] = jnp.asarray(weight)
    _check(told, len(found), sum(map(len, layers.values())))
    return unflatten_dict(found)


def _check(faults: Sequence[str], fitting: int, count: int) -> None:
    """Raises InputError if there are faults: the only one as it is, of several the first five."""
    if len(faults) == 1:
        raise InputError(faults[0])
    if faults:
        which = f"the first {SHOWN} that do not" if len(faults) > SHOWN else "those that do not"
        named = "; ".join(fault.removesuffix(".") for fault in faults[:SHOWN])
        raise InputError(f"{fitting} of {count} arrays fit; {which}: {named}.")


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
