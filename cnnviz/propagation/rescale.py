"""DeepLIFT's rescale rule: the slope of a step is the quotient of its differences between an image and a baseline.

Shrikumar et al., "Learning important features through propagating activation differences", 2017. The multipliers of a
step's outputs become multipliers of its inputs such that the sum of the contributions, multiplier times difference, is
kept. For linear steps that is the gradient's rule; the others are here. In a rule, `x0` and `y0` are the step's inputs
and outputs at the baseline.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from cnnviz.graph import Value
from cnnviz.graph.primitives import MAXIMA
from cnnviz.propagation.rules import JOINT, RULES, Arrays, Rule, Rules, backward, derivative
from cnnviz.propagation.steps import Step, evaluate, read
from cnnviz.types import Array, Image, Score

SMALL = 1e-10  # of smaller differences no quotient is taken; the derivative is used instead


def rescale(score: Score, image: Image, baseline: Image) -> Image:
    """The contribution `[... c]` of each value of the image to the difference of its score from the baseline's.

    The contributions sum to that difference.
    """
    reading = read(score, image)
    rules = rules_from(evaluate(reading.graph, baseline))
    return (image - baseline) * backward(reading, rules, jnp.ones((), reading.score.dtype))


def rules_from(reference: Mapping[Value, Array]) -> Rules:
    """The rules for differences from these values of the graph at the baseline."""
    old = lambda values: tuple(reference[value] for value in values)

    def of(rule: Callable[[Step, Arrays, Arrays, Arrays], Sequence[Array]]) -> Rule:
        return lambda step, multipliers: rule(step, multipliers, old(step.inputs), old(step.outputs))

    return ChainMap(
        {
            "activation": of(_activation),
            **dict.fromkeys(MAXIMA - {"max", "min"}, of(_pooled)),
            "max": of(_maximum),
            "min": of(_minimum),
            "product": of(_product),
            "div": of(_quotient),
            "stop_gradient": lambda step, multipliers: multipliers,
            **dict.fromkeys(JOINT - {"product", "div"}, None),
        },
        RULES,
    )


def quotient(difference: Array, of: Array, otherwise: Array) -> Array:
    """difference / of, elementwise; `otherwise` where `of` is too small to divide by."""
    small = jnp.abs(of) < SMALL
    return jnp.where(small, otherwise, difference / jnp.where(small, 1, of))


def _activation(step: Step, multipliers: Arrays, x0: Arrays, y0: Arrays) -> Sequence[Array]:
    """m (f(x) - f(x')) / (x - x')."""
    (m,), (x,), (y,) = multipliers, step.x, step.y
    return [quotient(m * (y - y0[0]), x - x0[0], derivative(step, multipliers)[0])]


def _pooled(step: Step, multipliers: Arrays, x0: Arrays, y0: Arrays) -> Sequence[Array]:
    """A maximum rises because of where it is now, and falls because of where it was; one window may have both."""
    (m,), (x,), (y,) = multipliers, step.x, step.y
    between = jnp.maximum(y, y0[0]) if "max" in step.name else jnp.minimum(y, y0[0])
    now, then = (jax.vjp(step.function, at)[1] for at in (x, x0[0]))
    contributed = now((m * (between - y0[0]),))[0] + then((m * (y - between),))[0]
    return [quotient(contributed, x - x0[0], now((m,))[0])]


def _maximum(step: Step, multipliers: Arrays, x0: Arrays, y0: Arrays) -> Sequence[Array]:
    """max(a, b) is b + relu(a - b)."""
    (a, b), (a0, b0) = step.x, x0
    d, d0 = a - b, a0 - b0
    share = quotient(jax.nn.relu(d) - jax.nn.relu(d0), d - d0, jnp.where(d > 0, 1.0, 0.0))
    return jax.vjp(lambda a, b: share * a + (1 - share) * b, a, b)[1](multipliers[0])


def _minimum(step: Step, multipliers: Arrays, x0: Arrays, y0: Arrays) -> Sequence[Array]:
    """min(a, b) is a + b - max(a, b)."""
    (a, b), found = step.x, _maximum(step, multipliers, x0, y0)
    of_sum = jax.vjp(lambda a, b: a + b, a, b)[1](multipliers[0])
    return [both - part for both, part in zip(of_sum, found, strict=True)]


def _product(step: Step, multipliers: Arrays, x0: Arrays, y0: Arrays) -> Sequence[Array]:
    """A factor's multiplier is the mean of the other's values at the image and at the baseline."""
    middle = tuple((x + old) / 2 for x, old in zip(step.x, x0, strict=True))
    return jax.vjp(step.function, *middle)[1](multipliers)


def _quotient(step: Step, multipliers: Arrays, x0: Arrays, y0: Arrays) -> Sequence[Array]:
    """a / b is the product of a and 1 / b, and the difference of 1 / b is -(b - b') / (b b')."""
    (a, b), (a0, b0) = step.x, x0
    secant = lambda p, q: p * (1 / b + 1 / b0) / 2 - q * (a + a0) / (2 * b * b0)
    return jax.vjp(secant, a, b)[1](multipliers[0])
