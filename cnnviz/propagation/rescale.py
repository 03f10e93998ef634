"""DeepLIFT's rescale rule: every step hands back the quotient of its differences between an image and a baseline.

Shrikumar et al., "Learning important features through propagating activation differences", 2017. A multiplier m of a
step's output becomes multipliers of its inputs such that what they contribute, m times the difference, stays in sum.
For linear steps that is the gradient; for the others the rules here.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from cnnviz.graph import Value
from cnnviz.graph.primitives import MAXIMA
from cnnviz.propagation.rules import JOINT, RULES, Rules, backward, derivative
from cnnviz.propagation.steps import Step, evaluate, read
from cnnviz.types import Array, Image, Score

SMALL = 1e-10  # differences below it have no quotient: the derivative stands in
Given = tuple[Array, ...]


def rescale(score: Score, image: Image, baseline: Image) -> Image:
    """What each value of the image contributes to the score's difference from the baseline's; their sum is that."""
    reading = read(score, image)
    rules = rules_from(evaluate(reading.graph, baseline))
    return (image - baseline) * backward(reading, rules, jnp.ones((), reading.score.dtype))


def rules_from(reference: Mapping[Value, Array]) -> Rules:
    """The rules for differences from these values of the graph."""
    old = lambda values: tuple(reference[value] for value in values)

    def of(rule: Callable[[Step, Given, Given, Given], Sequence[Array]]) -> Callable[[Step, Given], Sequence[Array]]:
        return lambda step, given: rule(step, given, old(step.inputs), old(step.outputs))

    return ChainMap(
        {
            "activation": of(_activation),
            **dict.fromkeys(MAXIMA - {"max", "min"}, of(_pooled)),
            "max": of(_maximum),
            "min": of(_minimum),
            "product": of(_product),
            "div": of(_quotient),
            "stop_gradient": lambda step, given: given,
            **dict.fromkeys(JOINT - {"product", "div"}, None),
        },
        RULES,
    )


def quotient(difference: Array, of: Array, otherwise: Array) -> Array:
    """difference / of; where that has no meaning, `otherwise`."""
    small = jnp.abs(of) < SMALL
    return jnp.where(small, otherwise, difference / jnp.where(small, 1, of))


def _activation(step: Step, given: Given, x0: Given, y0: Given) -> Sequence[Array]:
    """m (f(x) - f(x')) / (x - x')."""
    (m,), (x,), (y,) = given, step.x, step.y
    return [quotient(m * (y - y0[0]), x - x0[0], derivative(step, given)[0])]


def _pooled(step: Step, given: Given, x0: Given, y0: Given) -> Sequence[Array]:
    """A growth of the maximum is due to where it is now, a fall to where it was: both may be in one window."""
    (m,), (x,), (y,) = given, step.x, step.y
    between = jnp.maximum(y, y0[0]) if "max" in step.name else jnp.minimum(y, y0[0])
    now, then = (jax.vjp(step.function, at)[1] for at in (x, x0[0]))
    contributed = now((m * (between - y0[0]),))[0] + then((m * (y - between),))[0]
    return [quotient(contributed, x - x0[0], now((m,))[0])]


def _maximum(step: Step, given: Given, x0: Given, y0: Given) -> Sequence[Array]:
    """max(a, b) is b + relu(a - b)."""
    (a, b), (a0, b0) = step.x, x0
    d, d0 = a - b, a0 - b0
    share = quotient(jax.nn.relu(d) - jax.nn.relu(d0), d - d0, jnp.where(d > 0, 1.0, 0.0))
    return jax.vjp(lambda a, b: share * a + (1 - share) * b, a, b)[1](given[0])


def _minimum(step: Step, given: Given, x0: Given, y0: Given) -> Sequence[Array]:
    """min(a, b) is a + b - max(a, b)."""
    (a, b), found = step.x, _maximum(step, given, x0, y0)
    whole = jax.vjp(lambda a, b: a + b, a, b)[1](given[0])
    return [both - part for both, part in zip(whole, found, strict=True)]


def _product(step: Step, given: Given, x0: Given, y0: Given) -> Sequence[Array]:
    """Of a product, linear in each factor, a factor's multiplier is the mean of the others' values, now and then."""
    middle = tuple((x + old) / 2 for x, old in zip(step.x, x0, strict=True))
    return jax.vjp(step.function, *middle)[1](given)


def _quotient(step: Step, given: Given, x0: Given, y0: Given) -> Sequence[Array]:
    """a / b is the product of a and 1 / b, and the difference of 1 / b is -(b - b') / (b b')."""
    (a, b), (a0, b0) = step.x, x0
    secant = lambda p, q: p * (1 / b + 1 / b0) / 2 - q * (a + a0) / (2 * b * b0)
    return jax.vjp(secant, a, b)[1](given[0])
