"""One call of a model as a graph in which every module's output and every sown value has a name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cnnviz.errors import InputError, unknown
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.cost import value_bytes
from cnnviz.graph.receptive_field import side_windows
from cnnviz.graph.softmax import logits_of
from cnnviz.probe.capture import Recording, record
from cnnviz.probe.inputs import constants, inputs_of, named_leaves, with_rows
from cnnviz.probe.outputs import OutputName, logits_among, named_outputs
from cnnviz.probe.variables import as_variables
from cnnviz.types import LOGITS, Array, PyTree, Variables, VariablesLike

Shapes = tuple[Any, ...]  # a jax.ShapeDtypeStruct for each leaf


@dataclass(frozen=True, eq=False)
class Trace:
    """A model's graph for one shape of images; `values` are in order of execution, `axes` is each one's batch axis.

    `images` are its inputs and `outputs` what it returns, each by its place in the tree; those of `outputs` that have
    one row per image, along their first axis, are `in_rows`. `output` is which of them was asked for.
    """

    graph: Graph
    values: Mapping[str, Value]
    axes: Mapping[str, int]
    kinds: Mapping[str, str]
    images: Mapping[str, Value]
    outputs: Mapping[str, Value]
    in_rows: frozenset[str]
    output: OutputName = None

    @cached_property
    def row_bytes(self) -> int:
        """The bytes of all values that the model computes for one image."""
        images = tuple(self.images.values())
        return value_bytes(self.graph, *images) // images[0].shape[0]

    @property
    def logits(self) -> Value:
        """The output that the logits are (`outputs.logits_among`), or the input of the softmax that makes it."""
        name = logits_among(self.outputs, self.output)
        if name not in self.in_rows:
            raise InputError(
                f"Logits have one row per image along their first axis; the shape {self.outputs[name].shape} of this "
                "model's does not grow with the images."
            )
        return logits_of(self.graph, self.outputs[name])

    @property
    def logits_or_none(self) -> Value | None:
        """The logits, or None if no output can be taken for them."""
        try:
            return self.logits
        except InputError:
            return None

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
        images: PyTree,
        call: Mapping[str, Any],
        wanted: Sequence[Value],
        offsets: Mapping[Value, Array] | None = None,
    ) -> list[Array]:
        """The wanted values for these images, shifted by offsets; only what they depend on is computed."""
        arrays = jax.tree.leaves((variables, inputs_of(images, call)))
        return self.graph.evaluate(arrays, wanted, offsets)


MISSING = (
    flax.errors.ScopeCollectionNotFound,
    flax.errors.ScopeParamNotFoundError,
    flax.errors.ScopeVariableNotFoundError,
)


class Static:
    """A value that a compilation depends on: equal values share one; an unhashable value is equal only to itself.

    Arrays are compared by what they hold, unless they are traced.
    """

    def __init__(self, value: Any):
        self.value = value
        if isinstance(value, Mapping):
            self.key = tuple((name, Static(value[name])) for name in sorted(value))
        elif isinstance(value, jax.Array | np.ndarray) and not isinstance(value, Tracer):
            held = np.asarray(value)
            self.key = (str(held.dtype), held.shape, sha256(np.ascontiguousarray(held).tobytes()).digest())
        else:
            self.key = (type(value), value) if _is_hashable(value) else id(value)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and (self.value is other.value or self.key == other.key)


def trace(
    model: Any, variables: VariablesLike, images: PyTree, call: Mapping[str, Any], output: OutputName = None
) -> Trace:
    """The graph of `model` for images of these shapes, `[n, ..., c]` or a tree, cached; nothing is computed."""
    leaves, structure = jax.tree.flatten(as_variables(variables))
    rows, form = jax.tree.flatten(inputs_of(images, call))
    shapes = tuple(map(_shape, leaves)), tuple(map(_shape, rows))
    return _trace(Static(model), structure, form, *shapes, Static(constants(call)), output)


@lru_cache(maxsize=64)
def _trace(
    model: Static, structure: Any, form: Any, leaves: Shapes, rows: Shapes, call: Static, output: OutputName
) -> Trace:
    recordings: list[Recording] = []

    def function(flat: Shapes, rows: Shapes) -> tuple[list[Array], dict[str, Array]]:
        images, in_rows = jax.tree.unflatten(form, rows)
        arguments = {**call.value, **{name: rows.array for name, rows in in_rows.items()}}
        recordings.append(_record(model.value, jax.tree.unflatten(structure, flat), images, arguments))
        return list(named_outputs(recordings[-1].output).values()), recordings[-1].values

    graph, tree = Graph.of(function, leaves, rows)
    grown_outputs, grown = jax.eval_shape(function, leaves, with_rows(rows, rows[0].shape[0] + 1))
    outputs, values = jax.tree.unflatten(tree, graph.outputs)
    _check_rows(graph, graph.inputs[len(leaves) :])
    if LOGITS in values:
        raise InputError(f"The name {LOGITS!r} is reserved for the logits; this model has a layer of that name.")
    axes = {name: _image_axis(value.shape, grown[name].shape) for name, value in values.items()}
    names = [name for name in _in_order(graph, values, recordings[0].order) if axes[name] is not None]
    kinds = {name: recordings[0].kinds.get(name.split("@")[0]) or kind_of(graph, values[name]) for name in names}
    returned = dict(zip(named_outputs(recordings[0].output), outputs, strict=True))
    sizes = zip(returned, outputs, grown_outputs, strict=True)
    return Trace(
        graph,
        {name: values[name] for name in names},
        {name: axes[name] or 0 for name in names},
        kinds,
        dict(zip(named_leaves(jax.tree.unflatten(form, rows).images), graph.inputs[len(leaves) :], strict=False)),
        returned,
        frozenset(name for name, value, more in sizes if _image_axis(value.shape, more.shape) == 0),
        output,
    )


def _record(model: Any, variables: Variables, images: PyTree, arguments: Mapping[str, Any]) -> Recording:
    """`capture.record`, with what Flax raises for variables and images that do not fit said in one sentence."""
    try:
        return record(model, variables, images, arguments)
    except flax.errors.ScopeParamShapeError as error:
        shapes = ", ".join(f"[n, {', '.join(map(str, leaf.shape[1:]))}]" for leaf in jax.tree.leaves(images))
        said = str(error).partition(" (http")[0]
        raise InputError(f"Images of the shape {shapes} do not fit this model's weights: {said}") from error
    except MISSING as error:
        raise InputError(f"The variables are not those of this model: {error}") from error
    except flax.errors.InvalidRngError as error:
        raise InputError(f"The model needs a random key in evaluation mode, and gets none: {error}") from error
    except (AttributeError, TypeError) as error:
        if isinstance(images, jax.Array):
            raise
        given = f"a {type(images).__name__} of {', '.join(named_leaves(images))}"
        raise InputError(f"The model's call does not take {given}, as its images are here: {error}") from error


def _check_rows(graph: Graph, inputs: Sequence[Value]) -> None:
    """Raises InputError if a convolution or pooling runs over the first axis of the images, as over a side of one."""
    for value in inputs:
        for windows in side_windows(graph, value, (0,)).values():
            if windows[0] is not None and windows[0].low != windows[0].high:
                sides = ", ".join(map(str, value.shape[1:]))
                raise InputError(
                    f"Images have the shape [n, ..., c], one row per image; the model takes the first axis of these, "
                    f"[n, {sides}], for a side of the image."
                )


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
