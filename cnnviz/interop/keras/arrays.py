"""Weights of Keras without their model, under the names that Flax's layers have for them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from flax.traverse_util import unflatten_dict
from jaxtyping import Float32

from cnnviz.errors import InputError
from cnnviz.interop.keras import hdf5
from cnnviz.interop.keras.files import weights_of_file
from cnnviz.interop.keras.places import is_state, numbered
from cnnviz.interop.weights.tree import Tree

Array = Float32[np.ndarray, "..."]
NAMES = {
    "gamma": ("params", "scale"),
    "beta": ("params", "bias"),
    "moving_mean": ("batch_stats", "mean"),
    "moving_variance": ("batch_stats", "var"),
}
NORMALIZATION = ("gamma", "beta", "moving_mean", "moving_variance")


def read(path: Path) -> Tree:
    """The arrays in a file of `save_weights` or of a whole model: `params` and `batch_stats`, then layers, then names.

    Keras 3 stores no names of weights: two or four vectors of one length are a normalization's, others kernel and
    bias; where that does not say it they are called by their numbers. Raises InputError if the file is damaged.
    """
    try:
        found = weights_of_file(path)
        assert found.weights is not None
        layers = _by_name(found.weights) if found.by_name else _by_class(found.weights, ())
        return unflatten_dict({(kind, *place, name): array for kind, place, name, array in layers})
    except InputError as error:
        raise InputError(f"{path} cannot be read as weights of Keras: {error}") from error


Leaf = tuple[str, tuple[str, ...], str, Array]  # the collection, the layer's place, the weight's name, its values


def _by_name(file: hdf5.Group) -> Iterator[Leaf]:
    for layer in hdf5.texts(file, "layer_names") or []:
        group = hdf5.follow(file, layer)
        for weight in (hdf5.texts(group, "weight_names") if group else None) or []:
            if not is_state(weight):
                name = weight.rsplit("/", 1)[-1].split(":")[0]
                kind, name = NAMES.get(name, ("params", name))
                yield kind, tuple(layer.split("/")), name, hdf5.values(file, f"{layer}/{weight}")


def _by_class(file: hdf5.Group, place: tuple[str, ...]) -> Iterator[Leaf]:
    """The weights of each layer of the model at `place`, whose groups are within a group `layers`."""
    root = "/".join(part for name in place for part in ("layers", name)) + ("/layers" if place else "layers")
    for layer in hdf5.children(file, root):
        arrays = [hdf5.values(file, path) for path in numbered(file, f"{root}/{layer}/vars")]
        for name, array in zip(_names(arrays), arrays, strict=True):
            kind, called = NAMES.get(name, ("params", name))
            yield kind, (*place, layer), called, array
        yield from _by_class(file, (*place, layer))


def _names(arrays: Sequence[Array]) -> Sequence[str]:
    """What Keras calls a layer's weights, by their number and their axes."""
    if len(arrays) in (2, 4) and {array.shape for array in arrays} == {arrays[0].shape} and arrays[0].ndim == 1:
        return NORMALIZATION[: len(arrays)]
    if [array.ndim > 1 for array in arrays] in ([True], [True, False]):
        return ("kernel", "bias")[: len(arrays)]
    return [str(i) for i in range(len(arrays))]
