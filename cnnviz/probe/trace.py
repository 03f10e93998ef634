"""One call of a model as a graph in which every module's output and every sown value has a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import flax.errors
import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.graph import Graph, Value
from cnnviz.graph.cost import value_bytes
from cnnviz.graph.softmax import ending_of
from cnnviz.probe.addressing import Address, find, find_one
from cnnviz.probe.capture import Recording, record
from cnnviz.probe.naming import Found, Named, found_in, names, recorded_names
from cnnviz.probe.variables import as_variables
from cnnviz.types import LOGITS, Array, LayerNames, Variables, VariablesLike

Shapes = tuple[Any, ...]  # a jax.ShapeDtypeStruct for each leaf
LONGEST = 64  # iterations of a scan whose values have names


@dataclass(frozen=True, eq=False)
class Trace:
    """A model's graph for one shape of images; `layers` are in order of execution, `axes` is each one's batch axis.

    `aliases` are other names of layers, by which they may be asked for.
    """

    graph: Graph
    layers: Mapping[str, Named]
    aliases: Mapping[str, str]
    axes: Mapping[str, int]
    outputs: Sequence[Value]

    @cached_property
    def values(self) -> Mapping[str, Value]:
        return {name: layer.value for name, layer in self.layers.items()}

    @property
    def image(self) -> Value:
        return self.graph.inputs[-1]

    @cached_property
    def row_bytes(self) -> int:
        """The bytes of all values that the model computes for one image."""
        return value_bytes(self.graph, self.image) // self.image.shape[0]

    @property
    def logits(self) -> Value:
        """The model's output, or the input of the softmax or sigmoid that makes it."""
        return self._ending[1]

    @property
    def ending(self) -> str:
        """What makes the output of the logits: "softmax", "sigmoid" or "none"."""
        return self._ending[0]

    @property
    def _ending(self) -> tuple[str, Value]:
        if len(self.outputs) != 1:
            raise InputError(f"The model gives {len(self.outputs)} arrays; a score needs a model that gives one.")
        return ending_of(self.graph, self.outputs[0])

    @cached_property
    def addresses(self) -> list[Address]:
        """What each layer is found by."""
        others: dict[str, list[str]] = {name: [] for name in self.layers}
        for alias, name in self.aliases.items():
            others[name].append(alias)
        return [Address(name, each.kind, each.function, tuple(others[name])) for name, each in self.layers.items()]

    def find(self, asked: LayerNames) -> tuple[str, ...]:
        """The names of the values asked for: of layers (`probe.addressing`), or of the logits as in `value`."""
        return find(asked, self.addresses, (*self.aliases, "logits", LOGITS))

    def value(self, name: str) -> Value:
        """The value of the layer `name`; LOGITS, and "logits" if no layer has that name, are the logits."""
        name = self.aliases.get(name, name)
        if name == LOGITS or (name == "logits" and name not in self.layers):
            return self.logits
        return self.layers[name if name in self.layers else find_one(name, self.addresses)].value

    def axis(self, name: str) -> int:
        """The axis of the images in the value of this name."""
        return self.axes.get(self.aliases.get(name, name), 0)

    def compute(
        self,
        variables: Variables,
        images: Array,
        wanted: Sequence[Value],
        offsets: Mapping[Value, Array] | None = None,
    ) -> list[Array]:
        """The wanted values for these images, shifted by offsets; only what they depend on is computed."""
        return self.graph.evaluate([*jax.tree.leaves(variables), images], wanted, offsets)


MISSING = (
    flax.errors.ScopeCollectionNotFound,
    flax.errors.ScopeParamNotFoundError,
    flax.errors.ScopeVariableNotFoundError,
)


class Static:
    """A value that a compilation depends on: equal values share one; an unhashable value is equal only to itself."""

    def __init__(self, value: Any):
        self.value = value
        if isinstance(value, Mapping):
            self.key = tuple((name, Static(value[name])) for name in sorted(value))
        else:
            self.key = (type(value), value) if _is_hashable(value) else id(value)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and (self.value is other.value or self.key == other.key)


def trace(model: Any, variables: VariablesLike, images: Any, call: Mapping[str, Any]) -> Trace:
    """The graph of `model` for images `[n, h, w, c]` of this shape, cached; nothing is computed."""
    leaves, structure = jax.tree.flatten(as_variables(variables))
    return _trace(Static(model), structure, tuple(map(_shape, leaves)), _shape(images), Static(call))


@lru_cache(maxsize=64)
def _trace(model: Static, structure: Any, leaves: Shapes, images: jax.ShapeDtypeStruct, call: Static) -> Trace:
    recordings: list[Recording] = []

    def function(*arrays):
        *flat, pictures = arrays
        recording = record(model.value, jax.tree.unflatten(structure, flat), pictures, call.value)
        recordings.append(recording)
        return jax.tree.leaves(recording.output), recording.values

    def read(images: jax.ShapeDtypeStruct) -> tuple[Graph, list[Value], Found]:
        graph, tree = Graph.of(function, *leaves, images, unroll=LONGEST)
        outputs, values = jax.tree.unflatten(tree, graph.outputs)
        return graph, outputs, found_in(graph, graph.inputs[-1:], values, recordings[-1].kinds)

    more = jax.ShapeDtypeStruct((images.shape[0] + 1, *images.shape[1:]), images.dtype)
    try:
        graph, outputs, found = read(images)
        _, _, larger = read(more)
    except flax.errors.ScopeParamShapeError as error:
        raise InputError(f"Images of shape {images.shape[1:]} do not fit this model's weights: {error}") from error
    except MISSING as error:
        raise InputError(f"The variables are not those of this model: {error}") from error
    except flax.errors.ModifyScopeVariableError as error:
        reason = str(error).partition(" (https")[0]
        raise InputError(
            "The model changes its variables when it is called, so it is in training mode: give the argument of its "
            f"call that selects evaluation, as call={{'train': False}}, or build it for evaluation. {reason}"
        ) from error
    except flax.errors.InvalidRngError as error:
        raise InputError(f"The model needs a random key in evaluation mode, and gets none: {error}") from error
    if LOGITS in found:
        raise InputError(f"The name {LOGITS!r} is reserved for the logits; this model has a layer of that name.")
    shapes = {key: (each.value.shape, larger[key].value.shape) for key, each in found.items() if key in larger}
    axes = {found[key].value: axis for key, both in shapes.items() if (axis := _image_axis(*both)) is not None}
    found = {key: each for key, each in found.items() if each.value in axes}
    layers, aliases = names(graph, found, [*recorded_names(graph), *recordings[0].order])
    return Trace(graph, layers, aliases, {name: axes[each.value] for name, each in layers.items()}, outputs)


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    leaf = leaf if hasattr(leaf, "dtype") else jnp.asarray(leaf)
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _image_axis(shape: tuple[int, ...], with_one_image_more: tuple[int, ...]) -> int | None:
    """The axis that grows with the number of images; None for a value without one row per image."""
    grown = [axis for axis, (n, m) in enumerate(zip(shape, with_one_image_more, strict=False)) if m == n + 1]
    return grown[0] if len(grown) == 1 and len(shape) == len(with_one_image_more) else None
