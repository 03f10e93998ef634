"""One call of a model as a graph in which every module's output and every sown value has a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import starmap
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cnnviz.errors import InputError
from cnnviz.graph import Graph, Value
from cnnviz.graph.cost import value_bytes
from cnnviz.graph.receptive_field import side_windows
from cnnviz.graph.softmax import ending_of
from cnnviz.graph.windows import Window
from cnnviz.probe.addressing import Address, find, find_one
from cnnviz.probe.capture import Recording, record
from cnnviz.probe.inputs import canonical, constants, inputs_of, named_leaves, with_rows
from cnnviz.probe.naming import Found, Named, found_in, names, recorded_names
from cnnviz.probe.outputs import OutputName, logits_among, named_outputs
from cnnviz.probe.refused import in_one_sentence, with_numbers_known
from cnnviz.probe.rows import image_axis, with_rows_apart
from cnnviz.probe.variables import as_variables
from cnnviz.types import LOGITS, Array, LayerNames, PyTree, Variables, VariablesLike

Shapes = tuple[Any, ...]  # a jax.ShapeDtypeStruct for each leaf
Kinds = tuple[tuple[tuple[int, ...], Any], ...]  # a shape and a type for each leaf: compared sooner than structs
LONGEST = 64  # iterations of a scan whose values have names


@dataclass(frozen=True, eq=False)
class Trace:
    """A model's graph for one shape of images; `layers` are in order of execution, `axes` is each one's batch axis.

    `aliases` are other names of layers, by which they may be asked for. `images` are its inputs and `outputs` what it
    returns, each by its place in the tree; those of `outputs` that have one row per image, along their first axis, are
    `in_rows`. `output` is which of them was asked for. `folded` are those values of layers that are views of others, in
    which images share an axis with something else (`graph.folded`).
    """

    graph: Graph
    layers: Mapping[str, Named]
    aliases: Mapping[str, str]
    axes: Mapping[str, int]
    images: Mapping[str, Value]
    outputs: Mapping[str, Value]
    in_rows: frozenset[str]
    output: OutputName = None
    folded: frozenset[Value] = frozenset()

    @cached_property
    def values(self) -> Mapping[str, Value]:
        return {name: layer.value for name, layer in self.layers.items()}

    @cached_property
    def row_bytes(self) -> int:
        """The bytes of all values that the model computes for one image."""
        images = tuple(self.images.values())
        return value_bytes(self.graph, *images) // images[0].shape[0]

    @property
    def logits(self) -> Value:
        """The output asked for (`outputs.logits_among`), or the input of the softmax or sigmoid that makes it."""
        return self._ending[1]

    @property
    def logits_or_none(self) -> Value | None:
        """The logits, or None if no output can be taken for them."""
        try:
            return self.logits
        except InputError:
            return None

    @property
    def ending(self) -> str:
        """What makes the output of the logits: "softmax", "sigmoid" or "none"."""
        return self._ending[0]

    @cached_property
    def _ending(self) -> tuple[str, Value]:
        name = logits_among(self.outputs, self.output)
        if name not in self.in_rows:
            raise InputError(
                f"Logits have one row per image along their first axis; the shape {self.outputs[name].shape} of this "
                "model's does not grow with the images."
            )
        return ending_of(self.graph, self.outputs[name])

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

    def sides(self, name: str) -> dict[int, int]:
        """The axes of the value of this name for one image, each with its length; the last one has the channels."""
        return {axis: n for axis, n in enumerate(self.value(name).shape) if axis != self.axis(name)}

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
    kinds = tuple(map(_kind, leaves)), tuple(map(_kind, rows))
    return _trace(Static(model), structure, form, *kinds, Static(constants(call)), output)


@lru_cache(maxsize=64)
def _trace(
    model: Static, structure: Any, form: Any, of_leaves: Kinds, of_rows: Kinds, call: Static, output: OutputName
) -> Trace:
    leaves, rows = (tuple(starmap(jax.ShapeDtypeStruct, kinds)) for kinds in (of_leaves, of_rows))
    recordings: list[Recording] = []

    def function(flat: Shapes, rows: Shapes) -> tuple[list[Array], dict[str, Array]]:
        images, in_rows = jax.tree.unflatten(form, rows)
        arguments = {**call.value, **{name: rows.array for name, rows in in_rows.items()}}
        recordings.append(record(model.value, jax.tree.unflatten(structure, flat), images, arguments))
        return list(named_outputs(recordings[-1].output).values()), recordings[-1].values

    def read(rows: Shapes) -> tuple[Graph, list[Value], Found]:
        graph, tree = with_numbers_known(lambda: Graph.of(function, leaves, rows, unroll=LONGEST))
        outputs, values = jax.tree.unflatten(tree, graph.outputs)
        return graph, outputs, found_in(graph, graph.inputs[len(leaves) :], values, recordings[-1].kinds)

    images = jax.tree.unflatten(form, rows).images
    with in_one_sentence(images):
        graph, outputs, found = read(rows)
        _, grown, larger = read(with_rows(rows, rows[0].shape[0] + 1))
    _check_rows(graph, graph.inputs[len(leaves) :])
    if LOGITS in found:
        raise InputError(f"The name {LOGITS!r} is reserved for the logits; this model has a layer of that name.")
    graph, found, axes, folded = with_rows_apart(graph, found, larger, lambda: read(with_rows(rows, 2)), len(rows))
    layers, aliases = names(graph, found, [*recorded_names(graph), *recordings[0].order])
    returned = dict(zip(named_outputs(recordings[0].output), outputs, strict=True))
    sizes = zip(returned, outputs, grown, strict=True)
    return Trace(
        graph,
        layers,
        aliases,
        {name: axes[each.value] for name, each in layers.items()},
        dict(zip(named_leaves(images), graph.inputs[len(leaves) :], strict=False)),
        returned,
        frozenset(name for name, value, more in sizes if image_axis(value.shape, more.shape) == 0),
        output,
        folded,
    )


def _check_rows(graph: Graph, inputs: Sequence[Value]) -> None:
    """Raises InputError if a convolution or pooling runs over the first axis of the images, as over a side of one."""
    for value in inputs:
        for windows in side_windows(graph, value, (0,)).values():
            if isinstance(windows[0], Window) and windows[0].reach > 0:
                sides = ", ".join(map(str, value.shape[1:]))
                raise InputError(
                    f"Images have the shape [n, ..., c], one row per image; the model takes the first axis of these, "
                    f"[n, {sides}], for a side of the image."
                )


def _kind(leaf: Any) -> tuple[tuple[int, ...], Any]:
    leaf = leaf if hasattr(leaf, "dtype") else jnp.asarray(leaf)
    return tuple(leaf.shape), canonical(leaf.dtype)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
