"""The variables that a model's layers have, from one abstract pass through its graph; nothing is computed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from cnnviz.errors import InputError, memory
from cnnviz.errors.wording import counted
from cnnviz.interop.linen.graph import Graph
from cnnviz.interop.linen.merging import Arithmetic, Concatenate, Dot, Merge

Shape = tuple[int, ...]
Path = tuple[str, ...]  # the names of the models that a layer is in, and its own
Leaf = tuple[str, ...]  # the collection, and the names of a variable within its layer
Expected = dict[Leaf, Shape]  # in the order in which Keras lists weights
SEVERAL = (Merge, Concatenate, Dot, Arithmetic)  # layers of several values

# Keras: kernels, bias; or gamma, beta, moving mean, moving variance; or mean, variance
ORDER = ("depthwise", "pointwise", "kernel", "alpha", "scale", "bias", "mean", "var")


@dataclass
class Pass:
    """What is known after part of an abstract pass: each layer's variables by its path, and the bytes of values."""

    model: Graph
    layers: dict[Path, Expected] = field(default_factory=dict)
    held: int = 0

    def hold(self, size: int) -> None:
        """Adds the bytes of one more value. Raises InputError if the total exceeds the machine's memory."""
        self.held += size
        if self.held > memory.most():
            asked, possible = memory.in_words(self.held), memory.in_words(memory.most())
            raise InputError(
                f"one image of {self.model.image_shape} and what its layers make of it take at least {asked} of "
                f"memory; there are {possible}."
            )


def expected_of(model: Graph) -> dict[Path, Expected]:
    """The variables of each layer, by the names of the models it is in and its own.

    Raises InputError if a layer cannot take what it is called on, or if one image needs more memory than there is.
    """
    passed = Pass(model)
    given = [jax.ShapeDtypeStruct((1, *one.shape), jnp.float32) for one in model.inputs]
    for value in given:
        passed.hold(4 * value.size)
    given = [
        jax.ShapeDtypeStruct(value.shape[:-1], value.dtype) if one.gray else value
        for one, value in zip(model.inputs, given, strict=True)
    ]
    _outputs(passed, model, given, ())
    return passed.layers


def _outputs(passed: Pass, graph: Graph, given: Sequence[Any], path: Path) -> list[Any]:
    """The shapes of a graph's outputs for inputs of these shapes."""
    values: list[Sequence[Any]] = [(value,) for value in given]
    layers = dict(graph.layers)
    for call in graph.calls:
        arguments = [_read(values, place, call.layer) for place in call.reads]
        layer, place = layers[call.layer], (*path, call.layer)
        if isinstance(layer, Graph):
            _check_count(call.layer, layer, arguments)
            values.append(_outputs(passed, layer, arguments, place))
            continue
        result, expected = _called(call.layer, layer, arguments)
        passed.hold(4 * result.size)
        if passed.layers.setdefault(place, expected) != expected:
            raise InputError(f"layer {call.layer!r} is called on values of two shapes that need different weights.")
        values.append((result,))
    return [_read(values, place, "the output") for _, place in graph.outputs]


def _read(values: Sequence[Sequence[Any]], place: tuple[int, int], reader: str) -> Any:
    value, output = place
    if output >= len(values[value]):
        raise InputError(f"{reader!r} reads output {output} of a layer that has {len(values[value])}.")
    return values[value][output]


def _check_count(name: str, layer: Graph, arguments: Sequence[Any]) -> None:
    if len(arguments) != len(layer.inputs):
        raise InputError(
            f"model {name!r} is called on {counted(len(arguments), 'value')}; it has "
            f"{counted(len(layer.inputs), 'input')}."
        )


def _called(name: str, layer: nn.Module, arguments: Sequence[Any]) -> tuple[Any, Expected]:
    """The shape that a layer gives, and its variables."""
    if len(arguments) > 1 and not isinstance(layer, SEVERAL):
        raise InputError(f"layer {name!r} ({type(layer).__name__}) is called on {len(arguments)} values; it takes 1.")
    shapes = [value.shape[1:] for value in arguments]
    shown = ", ".join(map(str, shapes))
    try:
        result, variables = _abstract(layer, *arguments)
    except (TypeError, ValueError, OverflowError, AssertionError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"layer {name!r} ({type(layer).__name__}) cannot take {shown}: {reason}") from error
    if 0 in result.shape:
        raise InputError(f"layer {name!r} leaves nothing of the {shown} that it is given; the model cannot run.")
    flat: Any = flatten_dict(variables)
    leaves = {path: value.shape for path, value in flat.items()}
    return result, {leaf: leaves[leaf] for leaf in sorted(leaves, key=_place)}


def _abstract(layer: nn.Module, *arguments: Any) -> tuple[Any, Any]:
    key = jax.eval_shape(lambda: jax.random.key(0))
    return jax.eval_shape(layer.init_with_output, key, *arguments)


def _place(leaf: Leaf) -> list[int]:
    return [ORDER.index(name) for name in leaf[1:]]
