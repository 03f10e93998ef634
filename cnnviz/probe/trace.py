"""One call of a model as a graph in which every module's output and every sown value has a name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import flax.errors
import jax
import jax.numpy as jnp

from cnnviz.errors import InputError, unknown
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.cost import value_bytes
from cnnviz.graph.softmax import ending_of
from cnnviz.probe.capture import Recording, record
from cnnviz.probe.variables import as_variables
from cnnviz.types import LOGITS, Array, Variables, VariablesLike

Shapes = tuple[Any, ...]  # a jax.ShapeDtypeStruct for each leaf


@dataclass(frozen=True, eq=False)
class Trace:
    """A model's graph for one shape of images; `values` are in order of execution, `axes` is each one's batch axis."""

    graph: Graph
    values: Mapping[str, Value]
    axes: Mapping[str, int]
    kinds: Mapping[str, str]
    outputs: Sequence[Value]

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

    def value(self, name: str) -> Value:
        """The value of the layer `name`; LOGITS, and "logits" if no layer has that name, are the logits."""
        if name == LOGITS or (name == "logits" and name not in self.values):
            return self.logits
        if name not in self.values:
            raise unknown("layer", name, self.values)
        return self.values[name]

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

    more = jax.ShapeDtypeStruct((images.shape[0] + 1, *images.shape[1:]), images.dtype)
    try:
        graph, tree = Graph.of(function, *leaves, images)
        _, larger = jax.eval_shape(function, *leaves, more)
    except flax.errors.ScopeParamShapeError as error:
        raise InputError(f"Images of shape {images.shape[1:]} do not fit this model's weights: {error}") from error
    except MISSING as error:
        raise InputError(f"The variables are not those of this model: {error}") from error
    except flax.errors.InvalidRngError as error:
        raise InputError(f"The model needs a random key in evaluation mode, and gets none: {error}") from error
    outputs, values = jax.tree.unflatten(tree, graph.outputs)
    axes = {name: _image_axis(value.shape, larger[name].shape) for name, value in values.items()}
    if LOGITS in values:
        raise InputError(f"The name {LOGITS!r} is reserved for the logits; this model has a layer of that name.")
    names = [name for name in _in_order(graph, values, recordings[0].order) if axes[name] is not None]
    kinds = {name: recordings[0].kinds.get(name.split("@")[0]) or kind_of(graph, values[name]) for name in names}
    return Trace(graph, {name: values[name] for name in names}, {n: axes[n] or 0 for n in names}, kinds, outputs)


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


def _in_order(graph: Graph, values: Mapping[str, Value], recorded: Sequence[str]) -> list[str]:
    """Names by the position in the graph of the nodes that compute them; two names of one value as recorded."""
    calls: Counter[str] = Counter()
    seen: dict[str, int] = {}
    for i, name in enumerate(recorded):
        seen[f"{name}@{calls[name]}"] = i
        seen.setdefault(name, i)
        calls[name] += 1
    place = lambda name: (graph.made_by.get(values[name], -1), seen.get(name, len(seen)))
    return sorted(values, key=place)


_FUNCTIONS = {
    "reduce_window_max": "max_pool",
    "reduce_window_sum": "avg_pool",
    "reduce_max": "max",
    "reduce_sum": "sum",
}


def kind_of(graph: Graph, value: Value) -> str:
    """The kind of a sown value: the name of the function that computed it, `relu` or `max_pool`, or its primitive's."""
    node = graph.maker(value)
    if node is None:
        return "input"
    if (body := node.body) is not None:
        return kind_of(body, body.outputs[0])
    if (
        node.name == "div"
        and (summed := graph.maker(node.inputs[0]))
        and summed.name in ("reduce_window_sum", "reduce_sum")
    ):
        return "avg_pool" if summed.name == "reduce_window_sum" else "mean"
    if node.name == "max" and any(value.is_number(lambda number: number == 0) for value in node.inputs):
        return "relu"
    return _called_name(node) or _FUNCTIONS.get(node.name, node.name)


def _called_name(node: Node) -> str:
    return str(node.params.get("name") or (node.calls[0] if node.calls else "")).strip("_")
