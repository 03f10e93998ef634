"""What is explained: a class of each image, the predicted or the true one, a pair of classes, a function, or a unit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cnnviz.attribution.subject import Subject
from cnnviz.errors import InputError, InputTypeError
from cnnviz.probe import Unit
from cnnviz.probe.inputs import Inputs
from cnnviz.probe.trace import Static, Trace
from cnnviz.types import PyTree, Score, Variables

NAMED = ("predicted", "label")
Targets = Any  # a class, one for each image, a name of NAMED, a pair of those, a function of the logits, or a Unit


def resolve_targets(
    targets: Any, subject: Subject, traced: Trace, variables: Variables, inputs: Inputs, labels: Any
) -> tuple[Static, PyTree]:
    """The static part of the targets, and the traced part: class indices `[n]`, a pair of those, or nothing.

    `traced` is the subject's graph.
    """
    if callable(targets) or isinstance(targets, Unit):
        return Static(targets), ()
    if isinstance(targets, tuple):
        if len(targets) != 2:
            raise InputError(f"A pair of targets is (why this, and not that); this tuple has {len(targets)} entries.")
        found = [resolve_targets(t, subject, traced, variables, inputs, labels)[1] for t in targets]
        return Static("pair"), tuple(found)
    if isinstance(targets, str):
        targets = _named(targets, subject, variables, inputs, labels)
    return Static("class"), _classes(targets, traced, len(jax.tree.leaves(inputs)[0]))


def score_for(kind: Static, target: PyTree, subject: Subject, variables: Variables, inputs: Inputs) -> Score:
    """The score that targets resolved by `resolve_targets` stand for; `target` is one row of the traced part."""
    chosen: Any = kind.value if callable(kind.value) or isinstance(kind.value, Unit) else target
    return subject.score(variables, inputs, chosen)


def _named(name: str, subject: Subject, variables: Variables, inputs: Inputs, labels: Any) -> Any:
    if name not in NAMED:
        raise InputError(f'A target by name is "predicted" or "label"; it was {name!r}.')
    if name == "label" and labels is None:
        raise InputError('The target "label" needs the labels of the images; give them as labels=...')
    return labels if name == "label" else jnp.argmax(subject.logits(variables, inputs), -1)


def _classes(targets: Any, traced: Trace, count: int) -> Any:
    """Class indices `[n]`, one for each of `count` images; raises InputError if the model has no such class."""
    classes = targets if isinstance(targets, jax.Array) else np.asarray(targets)
    if not jnp.issubdtype(classes.dtype, jnp.integer):
        raise InputTypeError(f"Targets are class indices, so integers; these are {classes.dtype}.")
    if classes.shape not in ((), (count,)):
        raise InputError(
            f"Targets are one class for all images or one per image ({count}); they have the shape {classes.shape}."
        )
    if not isinstance(classes, Tracer):
        outputs = _output_count(traced)
        wrong = np.asarray(classes)[(np.asarray(classes) < 0) | (np.asarray(classes) >= outputs)]
        if wrong.size:
            raise InputError(f"A target is a class from 0 to {outputs - 1}; it was {wrong.flat[0]}.")
        classes = np.asarray(classes, np.int32)
        return np.broadcast_to(classes, (count,))
    return jnp.broadcast_to(classes, (count,))


def _output_count(traced: Trace) -> int:
    shape = traced.logits.shape[1:]
    if len(shape) != 1:
        raise InputError(
            f"A class needs one logit; this model gives {shape} per image, so give a function as the target."
        )
    return shape[0]
