"""What is explained: a class of each image, the predicted or the true one, a pair of classes, a function, or a unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cnnviz import probe
from cnnviz.errors import InputError, InputTypeError
from cnnviz.probe.trace import Static
from cnnviz.types import Activations, Image, PyTree, Scalar, Score, Variables

NAMED = ("predicted", "label")


@dataclass(frozen=True)
class Unit:
    """One value of a layer as the score that is explained: `Unit("relu2", (3, 4, 17))`."""

    layer: str
    index: tuple[int, ...]


Targets = Any  # a class, one for each image, a name of NAMED, a pair of those, a function of the logits, or a Unit


def resolve_targets(
    targets: Any, model: Any, variables: Variables, images: Any, labels: Any, call: Mapping[str, Any]
) -> tuple[Static, PyTree]:
    """The static part of the targets, and the traced part: class indices `[n]`, a pair of those, or nothing."""
    if callable(targets) or isinstance(targets, Unit):
        return Static(targets), ()
    if isinstance(targets, tuple):
        if len(targets) != 2:
            raise InputError(f"A pair of targets is (why this, and not that); this tuple has {len(targets)} entries.")
        found = [resolve_targets(t, model, variables, images, labels, call)[1] for t in targets]
        return Static("pair"), tuple(found)
    if isinstance(targets, str):
        targets = _named(targets, model, variables, images, labels, call)
    return Static("class"), _classes(targets, model, variables, images, call)


def score_for(kind: Static, target: PyTree, model: Any, variables: Variables, call: Mapping[str, Any]) -> Score:
    """The score that targets resolved by `resolve_targets` stand for; `target` is one row of the traced part."""
    if isinstance(kind.value, Unit):
        return _unit_score(probe.score_of(model, variables, lambda logits: jnp.sum(logits), call=call), kind.value)
    chosen: Any = kind.value if callable(kind.value) else target
    return probe.score_of(model, variables, chosen, call=call)


def check_unit(layer: str, index: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raises InputError unless `index` is a tuple of integers within the layer's shape."""
    numbers = isinstance(index, tuple) and all(isinstance(i, int | np.integer) for i in index)
    if not numbers or len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise InputError(f"A unit of {layer!r} is an index into {tuple(shape)}; it was {index!r}.")


def _unit_score(score: Score, unit: Unit) -> Score:
    def unit_score(image: Image, offsets: Activations) -> tuple[Scalar, Activations]:
        values = score(image, offsets)[1]
        layer = values[unit.layer]
        check_unit(unit.layer, unit.index, layer.shape)
        return layer[unit.index], values

    return unit_score


def _named(name: str, model: Any, variables: Variables, images: Any, labels: Any, call: Mapping[str, Any]) -> Any:
    if name not in NAMED:
        raise InputError(f'A target by name is "predicted" or "label"; it was {name!r}.')
    if name == "label" and labels is None:
        raise InputError('The target "label" needs the labels of the images; give them as labels=...')
    return labels if name == "label" else jnp.argmax(probe.logits(model, variables, images, call=call), -1)


def _classes(targets: Any, model: Any, variables: Variables, images: Any, call: Mapping[str, Any]) -> Any:
    """Class indices `[n]`, one per image; raises InputError if the model has no such class."""
    count = len(images)
    classes = targets if isinstance(targets, jax.Array) else np.asarray(targets)
    if not jnp.issubdtype(classes.dtype, jnp.integer):
        raise InputTypeError(f"Targets are class indices, so integers; these are {classes.dtype}.")
    if classes.shape not in ((), (count,)):
        raise InputError(
            f"Targets are one class for all images or one per image ({count}); they have the shape {classes.shape}."
        )
    if not isinstance(classes, Tracer):
        outputs = _output_count(model, variables, images, call)
        wrong = np.asarray(classes)[(np.asarray(classes) < 0) | (np.asarray(classes) >= outputs)]
        if wrong.size:
            raise InputError(f"A target is a class from 0 to {outputs - 1}; it was {wrong.flat[0]}.")
        classes = np.asarray(classes, np.int32)
        return np.broadcast_to(classes, (count,))
    return jnp.broadcast_to(classes, (count,))


def _output_count(model: Any, variables: Variables, images: Any, call: Mapping[str, Any]) -> int:
    shape = probe.output_shape(model, variables, images.shape[1:], call=call)
    if len(shape) != 1:
        raise InputError(
            f"A class needs one logit; this model gives {shape} per image, so give a function as the target."
        )
    return shape[0]
