"""The variables of one network by the names of another whose layers are called otherwise, paired by execution order."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz import probe
from cnnviz.interop.weights.tree import Tree, named_leaves, nested
from cnnviz.networks.net import Net
from cnnviz.networks.pytorch import initial_shapes

Leaves = Mapping[tuple[str, str], Any]  # a layer's arrays by their collection and their own name


def paired(net: Net, model: Any, image_shape: Sequence[int]) -> Tree | None:
    """The arrays of `net` under the names of `model`, for images of the shape (h, w, c): its first layer's arrays as
    those of the model's first layer, and so on.

    Only layers with arrays count. Shapes are not compared, which `networks.fit` does. None if the networks have
    different numbers of such layers, or if two layers that would be paired have arrays of different names.
    """
    shapes = initial_shapes(model, image_shape)
    there = _by_layer(net.variables, net.layers)
    here = _by_layer(shapes, probe.layers(model, shapes, image_shape))
    if [own.keys() for own in there.values()] != [own.keys() for own in here.values()]:
        return None
    pairs = zip(here, there.values(), strict=True)
    arrays = {(*path, layer): array for layer, own in pairs for path, array in own.items()}
    return nested({f"{first}/{layer}/{name}": np.asarray(array) for (first, name, layer), array in arrays.items()})


def _by_layer(variables: Any, layers: Sequence[probe.Layer]) -> dict[str, Leaves]:
    """The arrays of each layer that has some, in order of execution; then those of modules that are no layer."""
    found: dict[str, dict[tuple[str, str], Any]] = {}
    for path, array in named_leaves(variables).items():
        collection, *module, name = path.split("/")
        found.setdefault("/".join(module), {})[collection, name] = array
    order = [name for layer in layers if (name := layer.name.split("@")[0]) in found]
    return {name: found[name] for name in dict.fromkeys([*order, *found])}
