"""RULES: how what is attributed to a step's outputs is attributed to its inputs, by the name of the step.

As they stand here the rules are those of the gradient, and reading a score backwards with them gives its gradient. A
method is a table that falls back to this one and has rules of its own for what it does otherwise:
`ChainMap({"activation": guided}, RULES)`. A step whose name is not in the table, or has None there, is an InputError:
nothing is ever skipped.
"""

import warnings
from collections.abc import Callable, MutableMapping, Sequence

import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.graph import Value, primitives
from cnnviz.graph.primitives import LAYERS, MAXIMA, MOVES, SUMS
from cnnviz.propagation.steps import Reading, Step
from cnnviz.types import Array

Rule = Callable[[Step, tuple[Array, ...]], Sequence[Array | None]]  # None: nothing goes to that input
Rules = MutableMapping[str, Rule | None]


def derivative(step: Step, given: tuple[Array, ...]) -> Sequence[Array]:
    """The step's own derivative, transposed; of a linear step that is all there is."""
    return jax.vjp(step.function, *step.x)[1](given)


def nothing(step: Step, given: tuple[Array, ...]) -> Sequence[None]:
    return [None] * len(step.inputs)


JOINT = primitives.JOINT | {"product"}  # what an additive method has no rule for

RULES: Rules = {
    **dict.fromkeys((*LAYERS, "scale", *SUMS, *MOVES, *MAXIMA, "activation", *JOINT), derivative),
    "stop_gradient": nothing,
}


def backward(reading: Reading, rules: Rules, given: Array) -> Array:
    """What `rules` attribute to the image, where `given` is attributed to the score.

    What is attributed has the shape of the value, or where `given` has axes of its own, these before it. A step that
    the table has no rule for is an InputError that names it and its place in the model. Where nothing comes back to
    the image, since the score does not depend on it, that is zero everywhere, with a warning.
    """
    held: dict[Value, Array] = {reading.score: given}
    zeros = lambda value: jnp.zeros((*given.shape, *value.shape), value.dtype)
    for step in reversed(reading.steps):
        if any(value in held for value in step.outputs):
            outputs = tuple(held[v] if v in held else zeros(v) for v in step.outputs)
            for value, found in zip(step.inputs, _rule(rules, step)(step, outputs), strict=True):
                if found is not None:
                    held[value] = held[value] + found if value in held else found
    if reading.image not in held:
        warnings.warn("The score does not depend on the image: its map is zero everywhere.", stacklevel=2)
    return held.get(reading.image, zeros(reading.image))


def _rule(rules: Rules, step: Step) -> Rule:
    """The table's rule for this step; an activation of one primitive may have a rule under the primitive's name."""
    primitive = step.nodes[-1].name
    own = step.name == "activation" and len(step.nodes) == 1 and primitive not in (*MAXIMA, *JOINT)
    rule = rules.get(primitive) if own and primitive in rules else rules.get(step.name)
    if rule is None:
        what = repr(primitive) if step.name == primitive else f"{step.name} ({primitive!r})"
        raise InputError(
            f"There is no rule for {what} in {step.place}, which depends on the image; register one by "
            f"cnnviz.propagation.rules.RULES[{step.name!r}] = rule, where rule(step, given) returns what each of "
            "step.inputs gets of what its outputs were given."
        )
    return rule
