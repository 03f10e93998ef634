"""Where a Keras file has each weight of each layer.

An `.h5` file has a group for each layer of the model, which lists its weights; those of a model used as a layer are in
one list, the trainable ones first. In a `.keras` file the groups are named by class and number, one in another.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted, listed
from cnnviz.interop.keras import hdf5
from cnnviz.interop.keras.expected import Expected, Leaf, Path
from cnnviz.interop.keras.fields import Described
from cnnviz.interop.keras.wiring import Wired

STATES = ("count", "StateVar", "seed_generator_state")  # integers that Keras lists among the weights
Layers = Mapping[Path, Expected]


@dataclass(frozen=True)
class Weight:
    """One variable of a layer and whether training changes it by gradients."""

    layer: Path
    leaf: Leaf
    trainable: bool


Places = dict[tuple[Path, Leaf], str]


def places_by_name(wired: Wired, layers: Layers, file: hdf5.Group, faults: list[str]) -> Places:
    """The path of each weight in an `.h5` file.

    Weights of other layers, and layers with too few or too many, are added to the `faults`, and have no place. Raises
    InputError if the file lists a weight twice.
    """
    listed = {}
    for name in hdf5.texts(file, "layer_names") or []:
        group = hdf5.follow(file, name)
        weights = hdf5.texts(group, "weight_names") if group else None
        listed[name] = [f"{name}/{weight}" for weight in weights or [] if not is_state(weight)]
    _check_known([layer.name for layer in wired.layers], listed, faults)
    places: Places = {}
    for layer in wired.layers:
        weights = list(weights_of(layer, (layer.name,), layers))
        ordered = sorted(weights, key=lambda weight: not weight.trainable)
        places |= _paired(layer.name, ordered, listed.get(layer.name, []), faults)
    return places


@dataclass(frozen=True)
class Saved:
    """A layer or model whose weights have a place: the models it is in, itself the last, and the places within it."""

    path: Path
    layer: Described | Wired
    places: Places

    def under(self, path: Path) -> Places:
        """The same places for the same layer in other models."""
        return {((*path, *layer[len(self.path) :]), leaf): place for (layer, leaf), place in self.places.items()}


def places_by_class(
    wired: Wired, layers: Layers, file: hdf5.Group, faults: list[str], place: str = "", inside: "Inside | None" = None
) -> Places:
    """The path of each weight in a `.keras` file; `place` is that of the model in it, `inside` the models it is in.

    Faults and errors are those of `places_by_name`.
    """
    inside = inside or Inside((), [])
    root = f"{place}layers" if hdf5.children(file, f"{place}layers") else f"{place}_layer_checkpoint_dependencies"
    keys, seen = [], Counter[str]()  # until Keras 2.12 the other name
    held = [layer for layer in wired.layers if not layer.kind.startswith("ops.")]
    for layer in held:
        key = _snake_case(layer.kind)
        keys.append(f"{key}_{seen[key]}" if seen[key] else key)
        seen[key] += 1
    listed = {key: numbered(file, f"{root}/{key}/vars") for key in hdf5.children(file, root)}
    _check_known(keys, listed, faults)
    places: Places = {}
    for key, layer in zip(keys, held, strict=True):
        path = (*inside.path, layer.name)
        if key not in listed and (shared := inside.saved_before(layer)):
            found = shared.under(path)
        elif isinstance(layer, Wired):
            found = places_by_class(layer, layers, file, faults, f"{root}/{key}/", Inside(path, inside.saved))
        else:
            weights = list(weights_of(layer, path, layers))
            more = int(layer.kind == "Normalization" and len(weights) > 0)  # the number of images that it has seen
            paths = listed.get(key, [])
            found = _paired(layer.name, weights, paths[: len(paths) - more], faults)
        inside.saved.append(Saved(path, layer, found))
        places |= found
    return places


@dataclass(frozen=True)
class Inside:
    """The names of the models that a model is in, and what stands before it in the file: a layer is saved once."""

    path: Path
    saved: list[Saved]

    def saved_before(self, layer: Described | Wired) -> Saved | None:
        """The place of the same layer, by its name and description, in a model that comes before; None without one."""
        return next((saved for saved in self.saved if saved.layer == layer and saved.places), None)


def weights_of(layer: Described | Wired, path: Path, layers: Layers, trainable: bool = True) -> Iterator[Weight]:
    """The weights of a layer, or of all layers of a model, in the order in which Keras lists those of one kind."""
    trainable = trainable and layer.trainable
    if isinstance(layer, Wired):
        for inner in layer.layers:
            yield from weights_of(inner, (*path, inner.name), layers, trainable)
    else:
        for leaf in layers[path]:
            yield Weight(path, leaf, trainable and leaf[0] == "params")


def _paired(name: str, weights: Sequence[Weight], paths: Sequence[str], faults: list[str]) -> Places:
    if len(paths) != len(weights):
        asked = ", ".join("/".join((*weight.layer[1:], *weight.leaf[1:])) for weight in weights)
        faults.append(
            f"layer {name!r} has {_counted(paths)} in the file; its description asks for {len(weights)}: "
            f"{asked or 'none'}."
        )
        return {}
    return {(weight.layer, weight.leaf): path for weight, path in zip(weights, paths, strict=True)}


def _check_known(names: Sequence[str], places: Mapping[str, list[str]], faults: list[str]) -> None:
    """Adds weights of unknown layers to the faults; raises InputError for a weight that is listed twice."""
    known = set(names)
    more = [name for name, paths in places.items() if paths and name not in known]
    if more:
        faults.append(f"the file has weights of layers that its description does not have: {listed(more)}.")
    every = Counter("/".join(filter(None, path.split("/"))) for paths in places.values() for path in paths)
    if twice := [path for path, number in every.items() if number > 1]:
        raise InputError(f"the file lists {twice[0]} twice; each weight has a place of its own.")


def is_state(weight: str) -> bool:
    """Whether a weight of this name is a count or a generator's state, which no prediction needs."""
    return weight.rsplit("/", 1)[-1].split(":")[0] in STATES


def numbered(file: hdf5.Group, path: str) -> list[str]:
    """The paths of the numbered data sets in a group, in order."""
    return [f"{path}/{i}" for i in sorted(hdf5.children(file, path), key=lambda i: (len(i), i))]


def _snake_case(kind: str) -> str:
    """A class's name as Keras writes it in names of groups: `MaxPooling2D` is `max_pooling2d`, `ReLU` is `re_lu`."""
    kind = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub("([a-z])([A-Z])", r"\1_\2", kind).lower()


def _counted(paths: Sequence[str]) -> str:
    return f"{counted(len(paths), 'weight')} ({', '.join(paths)})" if paths else "no weights"
