"""RULES: how a step's outputs hand what they receive back to its inputs, by the name of the step.

These are the rules of the gradient: reading a score backwards with them gives its gradient. A method is a table that
falls back to this one and has its own rules for the steps that it treats differently:
`ChainMap({"activation": guided}, RULES)`. A step whose name is not in the table, or maps to None, raises InputError:
nothing is ever skipped.
"""

import warnings
from collections.abc import Callable, MutableMapping, Sequence

import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.graph import Value, primitives
from cnnviz.graph.primitives import COMPLEX, LAYERS, MAXIMA, MOVES, SUMS
from cnnviz.propagation.steps import Reading, Step
from cnnviz.types import Array

Arrays = tuple[Array, ...]
Rule = Callable[[Step, Arrays], Sequence[Array | None]]  # (step, one cotangent per output) -> one per input, or None
Rules = MutableMapping[str, Rule | None]


def derivative(step: Step, cotangents: Arrays) -> Sequence[Array]:
    """The step's own derivative, transposed: one cotangent per input, each of its input's shape."""
    return jax.vjp(step.function, *step.x)[1](cotangents)


def nothing(step: Step, cotangents: Arrays) -> Sequence[None]:
    """No cotangent for any input."""
    return [None] * len(step.inputs)


FOURIER = COMPLEX | {"fft"}  # linear, with complex numbers on the way
JOINT = primitives.JOINT | {"product"}  # an additive method has no rule for these

RULES: Rules = {
    **dict.fromkeys((*LAYERS, "scale", *SUMS, *MOVES, *FOURIER, *MAXIMA, "activation", *JOINT), derivative),
    "stop_gradient": nothing,
}


def backward(reading: Reading, rules: Rules, cotangent: Array) -> Array:
    """What reaches the image by `rules`, from `cotangent` at the score: `[... c]`, or `[*cotangent.shape, ..., c]`.

    Raises InputError if the table has no rule for a step, and names the step and its place in the model. If the score
    does not depend on the image, the result is zero everywhere, with a warning.
    """
    held: dict[Value, Array] = {reading.score: cotangent}
    zeros = lambda value: jnp.zeros((*cotangent.shape, *value.shape), value.dtype)
    for step in reversed(reading.steps):
        if any(value in held for value in step.outputs):
            cotangents = tuple(held[v] if v in held else zeros(v) for v in step.outputs)
            for value, found in zip(step.inputs, _rule(rules, step)(step, cotangents), strict=True):
                if found is not None:
                    found = _typed(found, value)
                    held[value] = held[value] + found if value in held else found
    if reading.image not in held:
        warnings.warn("The score does not depend on the image: its map is zero everywhere.", stacklevel=2)
    return held.get(reading.image, zeros(reading.image))


def _typed(found: Array, value: Value) -> Array:
    """What reaches the value, in its type, which the parameters that a rule reads may exceed."""
    real = all(jnp.issubdtype(each.dtype, jnp.floating) for each in (found, value))
    return found.astype(value.dtype) if real and found.dtype != value.dtype else found


def _rule(rules: Rules, step: Step) -> Rule:
    """The table's rule for this step; an activation of one primitive may have a rule under the primitive's name."""
    primitive = step.nodes[-1].name
    by_primitive = step.name == "activation" and len(step.nodes) == 1 and primitive not in MAXIMA | JOINT
    rule = rules.get(primitive) if by_primitive and primitive in rules else rules.get(step.name)
    if rule is None:
        what = repr(primitive) if step.name == primitive else f"{step.name} ({primitive!r})"
        raise InputError(
            f"The step {what} in {step.place}, which depends on the image, has no rule; register one by "
            f"cnnviz.propagation.rules.RULES[{step.name!r}] = rule, where rule(step, cotangents) takes one array per "
            "output of the step and returns one per input."
        )
    return rule
