"""The variables of an imported Keras model: each weight is located, checked against the layer's shapes, and read."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnnviz import memory
from cnnviz.errors import InputError
from cnnviz.interop.keras import hdf5
from cnnviz.interop.linen.sequential import Sequential
from cnnviz.interop.linen.spatial import DepthwiseConv2D
from cnnviz.types import Variables

Shape = tuple[int, ...]
Expected = dict[tuple[str, str], Shape]  # (collection, leaf) -> shape, in the order in which Keras lists weights

# Keras: kernel, bias; or gamma, beta, moving mean, moving variance
ORDER = [("params", "kernel"), ("params", "scale"), ("params", "bias"), ("batch_stats", "mean"), ("batch_stats", "var")]


def read_variables(model: Sequential, places: Sequence[Sequence[str]], file: hdf5.Group) -> Variables:
    """The model's variables as float32; `places` has the paths of each layer's weights in the file.

    Raises InputError if the weights' number or shapes do not fit the layers.
    """
    variables: dict[str, dict[str, dict[str, jax.Array]]] = {}
    for (name, layer, expected), paths in zip(_expected(model), places, strict=True):
        if len(paths) != len(expected):
            raise InputError(
                f"layer {name!r} has {_counted(paths)} in the file; its description asks for {len(expected)}: "
                f"{', '.join(leaf for _, leaf in expected) or 'none'}."
            )
        for ((collection, leaf), shape), path in zip(expected.items(), paths, strict=True):
            weight = hdf5.array(file, path, _shape_in_file(layer, leaf, shape)).reshape(shape)
            variables.setdefault(collection, {}).setdefault(name, {})[leaf] = jnp.asarray(weight)
    return variables


def places_by_name(names: Sequence[str], file: hdf5.Group) -> list[list[str]]:
    """The paths of each layer's weights in an `.h5` file, where a group with the layer's name lists them.

    Raises InputError if the file has weights of other layers or lists a weight twice.
    """
    places = {}
    for name in hdf5.texts(file, "layer_names") or []:
        group = hdf5.follow(file, name)
        listed = hdf5.texts(group, "weight_names") if group else None
        places[name] = [f"{name}/{weight}" for weight in listed or []]
    return _all_known(names, places)


def places_by_class(names: Sequence[str], kinds: Sequence[str], file: hdf5.Group) -> list[list[str]]:
    """The paths of each layer's weights in a `.keras` file, whose groups are named by class and number.

    Raises InputError if the file has weights of other layers or lists a weight twice.
    """
    root = "layers" if hdf5.children(file, "layers") else "_layer_checkpoint_dependencies"  # until Keras 2.12
    keys, seen = [], Counter[str]()
    for kind in kinds:
        key = _snake_case(kind)
        keys.append(f"{key}_{seen[key]}" if seen[key] else key)
        seen[key] += 1
    listed = {key: _numbered(file, f"{root}/{key}/vars") for key in hdf5.children(file, root)}
    return _all_known(keys, listed)


def _all_known(names: Sequence[str], places: dict[str, list[str]]) -> list[list[str]]:
    """The places in the order of the names; raises InputError for weights of an unknown layer."""
    known = set(names)
    more = [name for name, paths in places.items() if paths and name not in known]
    if more:
        raise InputError(f"the file has weights of layers that its description does not have: {', '.join(more)}.")
    every = Counter("/".join(filter(None, path.split("/"))) for paths in places.values() for path in paths)
    if twice := [path for path, number in every.items() if number > 1]:
        raise InputError(f"the file lists {twice[0]} twice; each weight has a place of its own.")
    return [places.get(name, []) for name in names]


def _numbered(file: hdf5.Group, path: str) -> list[str]:
    return [f"{path}/{i}" for i in sorted(hdf5.children(file, path), key=lambda i: (len(i), i))]


def _snake_case(kind: str) -> str:
    """A class's name as Keras writes it in names of groups: `MaxPooling2D` is `max_pooling2d`, `ReLU` is `re_lu`."""
    kind = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub("([a-z])([A-Z])", r"\1_\2", kind).lower()


def _expected(model: Sequential) -> Iterator[tuple[str, nn.Module, Expected]]:
    """Each layer with the shapes of its variables; raises InputError if it cannot take the previous layer's output."""
    x = jax.ShapeDtypeStruct((1, *model.image_shape), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    held = _fitting(model, 4 * x.size)
    for name, layer in model.layers:
        before, (x, variables) = x.shape[1:], _shapes(name, layer, key, x)
        held = _fitting(model, held + 4 * x.size)
        if 0 in x.shape:
            raise InputError(f"layer {name!r} leaves nothing of the {before} that it is given; the model cannot run.")
        leaves = {(c, leaf): value.shape for c, tree in variables.items() for leaf, value in tree.items()}
        yield name, layer, {place: leaves[place] for place in ORDER if place in leaves}


def _shapes(name: str, layer: nn.Module, key: jax.ShapeDtypeStruct, x: jax.ShapeDtypeStruct) -> tuple[Any, Any]:
    try:
        return jax.eval_shape(layer.init_with_output, key, x)
    except (TypeError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"layer {name!r} ({type(layer).__name__}) cannot take {x.shape[1:]}: {reason}") from error


def _fitting(model: Sequential, size: int) -> int:
    """The bytes that one image and the outputs of its layers take. Raises InputError if the machine has fewer."""
    if size > memory.most():
        asked, possible = memory.in_words(size), memory.in_words(memory.most())
        raise InputError(
            f"one image of {model.image_shape} and what its layers make of it take at least {asked} of memory; "
            f"there are {possible}."
        )
    return size


def _shape_in_file(layer: nn.Module, leaf: str, shape: Shape) -> Shape:
    """A depthwise kernel is [h, w, in, multiplier] in the file and [h, w, 1, in * multiplier] here, in one order."""
    if isinstance(layer, DepthwiseConv2D) and leaf == "kernel":
        return (*shape[:2], shape[-1] // layer.depth_multiplier, layer.depth_multiplier)
    return shape


def _counted(paths: Sequence[str]) -> str:
    return f"{len(paths)} weights ({', '.join(paths)})" if paths else "no weights"
