"""What is explained: one number of a network's logits, as a function of one image and of offsets to its layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.errors import InputError, InputTypeError, check_known
from cnnviz.probe.inputs import is_float
from cnnviz.probe.network import layers_of, network_of
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.reader import NOTHING, Call
from cnnviz.types import LOGITS, Activations, Array, PyTree, Scalar, Score, VariablesLike


@dataclass(frozen=True)
class Unit:
    """One value of a layer as the score that is explained: `Unit("relu2", (3, 4, 17))`. It needs no logits."""

    layer: str
    index: tuple[int, ...]


Class = int | np.integer | Array
Target = Class | tuple[Class, Class] | Callable[[Array], Array] | Unit


def score_of(
    model: Any, variables: VariablesLike, target: Target, *, call: Call = NOTHING, output: OutputName = None
) -> Score:
    """One number of a network: `score(image, offsets) -> (score, activations)`, for one image `[..., c]`.

    `target` is a class index (it may be traced), a pair of them (the difference of their logits), a function of the
    logits `[k]` that returns one number, or a `Unit`. Image, offsets, activations, `call` and `output` are those of
    `network_of`; the activations also hold the logits, as `probe.LOGITS`, a name that no layer has. Inside `jax.jit`,
    pass `variables` and `target` as arguments, so that another checkpoint or class does not recompile.
    """
    if isinstance(target, Unit):
        return _unit_score(layers_of(model, variables, call=call, output=output), target)
    network = network_of(model, variables, call=call, output=output)

    def score(image: PyTree, offsets: Activations) -> tuple[Scalar, Activations]:
        logits, activations = network(image, offsets)
        return _real(_pick(logits, target)), {LOGITS: logits, **activations}

    return score


def check_unit(layer: str, index: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raises InputError unless `index` is a tuple of integers within the layer's shape."""
    numbers = isinstance(index, tuple) and all(isinstance(i, int | np.integer) for i in index)
    if not numbers or len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise InputError(f"A unit of {layer!r} is an index into {tuple(shape)}; it was {index!r}.")


def _unit_score(layers: Callable[[PyTree, Activations], Activations], unit: Unit) -> Score:
    def unit_score(image: PyTree, offsets: Activations) -> tuple[Scalar, Activations]:
        values = layers(image, offsets)
        check_known("layer", unit.layer, [name for name in values if name != LOGITS])
        check_unit(unit.layer, unit.index, values[unit.layer].shape)
        return _real(values[unit.layer][unit.index]), values

    return unit_score


def _pick(logits: Array, target: Target) -> Array:
    """The number of one image's logits that `target` names."""
    if callable(target):
        return _one_number(target(logits))
    if isinstance(target, tuple):
        return _pick(logits, target[0]) - _pick(logits, target[1])
    if logits.ndim != 1:
        raise InputError(
            f"A class has one score; this model gives {tuple(logits.shape)} per image, so give a function."
        )
    if isinstance(target, int | np.integer) and not 0 <= target < logits.shape[-1]:
        raise InputError(f"A target is a class from 0 to {logits.shape[-1] - 1}; it was {target}.")
    return logits[target]


def _real(score: Array) -> Array:
    """The score as it is; raises InputTypeError if it is not a real number."""
    if not is_float(score):
        raise InputTypeError(f"A score is a real number; this one is {score.dtype}.")
    return score


def _one_number(found: Any) -> Array:
    """The result of a function of the logits. Raises InputTypeError if it is not one number."""
    if np.shape(found) != () or not isinstance(found, float | jax.Array | np.generic):
        given = f"shape {np.shape(found)}" if hasattr(found, "shape") else f"the kind {type(found).__name__}"
        raise InputTypeError(f"A target that is a function of the logits gives one number; this one gave {given}.")
    return jnp.asarray(found)
