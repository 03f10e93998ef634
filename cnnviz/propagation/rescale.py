"""DeepLIFT's rescale rule: the slope of a step is the quotient of its differences between an image and a baseline.

Shrikumar et al., "Learning important features through propagating activation differences", 2017. The multipliers of a
step's outputs become multipliers of its inputs such that the sum of the contributions, multiplier times difference, is
kept. For linear steps that is the gradient's rule; the others are here. In a rule, `before` is the step at the
baseline.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from cnnviz.graph import Value
from cnnviz.graph.primitives import MAXIMA, MOVES, SUMS
from cnnviz.propagation.factors import normalizer
from cnnviz.propagation.rules import JOINT, RULES, Arrays, Rule, Rules, backward, derivative
from cnnviz.propagation.steps import Step, evaluate, read
from cnnviz.types import Array, Image, Score

SMALL = 1e-10  # of smaller differences no quotient is taken; the derivative is used instead
LARGE = 100  # from this ratio of a normalizer's values at image and baseline on, no mean is taken


def rescale(score: Score, image: Image, baseline: Image) -> Image:
    """The contribution `[... c]` of each value of the image to the difference of its score from the baseline's.

    The contributions sum to that difference.
    """
    reading = read(score, image)
    rules = rules_from(evaluate(reading.graph, baseline))
    return (image - baseline) * backward(reading, rules, jnp.ones((), reading.score.dtype))


def rules_from(reference: Mapping[Value, Array]) -> Rules:
    """The rules for differences from these values of the graph at the baseline."""

    def of(rule: Callable[[Step, Arrays, Step], Sequence[Array]]) -> Rule:
        return lambda step, multipliers: rule(step, multipliers, step.at(reference))

    return ChainMap(
        {
            "activation": of(_activation),
            **dict.fromkeys(MOVES | SUMS, of(_moved)),
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
    """difference / of, elementwise; where `of` is too small to divide by, `otherwise`, or 0 if that is infinite."""
    small = jnp.abs(of) < SMALL
    finite = jnp.where(jnp.isfinite(otherwise), otherwise, 0)  # the derivative of a square root at zero is not
    return jnp.where(small, finite, difference / jnp.where(small, 1, of))


def _activation(step: Step, multipliers: Arrays, before: Step) -> Sequence[Array]:
    """m (f(x) - f(x')) / (x - x')."""
    (m,), (x,), (y,), (x0,), (y0,) = multipliers, step.x, step.y, before.x, before.y
    return [quotient(m * (y - y0), x - x0, derivative(step, multipliers)[0])]


def _moved(step: Step, multipliers: Arrays, before: Step) -> Sequence[Array]:
    """The derivative, unless the image selects what is moved.

    Then the values moved at the image and at the baseline are others, and no derivative is complete. Of the mean of
    both derivatives this is the nearest multiplier that is: Broyden's secant update, along the sorted axis or at once.
    """
    if not step.selects:
        return derivative(step, multipliers)
    ends = zip(derivative(step, multipliers), derivative(before, multipliers), strict=True)
    means = [(now + then) / 2 for now, then in ends]
    apart = [x - x0 for x, x0 in zip(step.x, before.x, strict=True)]
    changes = [m * (y - y0) for m, y, y0 in zip(multipliers, step.y, before.y, strict=True)]
    total = lambda arrays: sum((a.sum(_sorted_axis(step), keepdims=True) for a in arrays), jnp.zeros(()))
    missing = total(changes) - total([m * d for m, d in zip(means, apart, strict=True)])
    size = total([d * d for d in apart])
    rate = jnp.where(size == 0, 0, missing / jnp.where(size == 0, 1, size))
    return [m + rate.reshape(rate.shape if rate.ndim == m.ndim else ()) * d for m, d in zip(means, apart, strict=True)]


def _sorted_axis(step: Step) -> int | None:
    """The axis along which the step orders values, each row by itself; None if it has no such axis."""
    params = step.nodes[-1].params
    return {"sort": params.get("dimension"), "top_k": params.get("axis", -1)}.get(step.name)


def _pooled(step: Step, multipliers: Arrays, before: Step) -> Sequence[Array]:
    """A maximum rises because of where it is now, and falls because of where it was; one window may have both."""
    (m,), (x,), (y,), (x0,), (y0,) = multipliers, step.x, step.y, before.x, before.y
    between = jnp.maximum(y, y0) if "max" in step.name else jnp.minimum(y, y0)
    now, then = (jax.vjp(step.function, at)[1] for at in (x, x0))
    contributed = now((m * (between - y0),))[0] + then((m * (y - between),))[0]
    return [quotient(contributed, x - x0, now((m,))[0])]


def _maximum(step: Step, multipliers: Arrays, before: Step) -> Sequence[Array]:
    """max(a, b) is b + relu(a - b)."""
    (a, b), (a0, b0) = step.x, before.x
    d, d0 = a - b, a0 - b0
    share = quotient(jax.nn.relu(d) - jax.nn.relu(d0), d - d0, jnp.where(d > 0, 1.0, 0.0))
    return jax.vjp(lambda a, b: share * a + (1 - share) * b, a, b)[1](multipliers[0])


def _minimum(step: Step, multipliers: Arrays, before: Step) -> Sequence[Array]:
    """min(a, b) is a + b - max(a, b)."""
    (a, b), found = step.x, _maximum(step, multipliers, before)
    of_sum = jax.vjp(lambda a, b: a + b, a, b)[1](multipliers[0])
    return [both - part for both, part in zip(of_sum, found, strict=True)]


def _product(step: Step, multipliers: Arrays, before: Step) -> Sequence[Array]:
    """A factor's multiplier is the mean of the other's values at the image and at the baseline."""
    if step.nodes[-1].name == "mul" and (i := normalizer(step)) is not None:
        of_value, of_factor = _shares(step.x[1 - i], before.x[1 - i], step.x[i], before.x[i])
        ours = (of_factor, of_value) if i == 0 else (of_value, of_factor)
        return jax.vjp(lambda a, b: a * ours[0] + b * ours[1], *step.x)[1](multipliers[0])
    middle = tuple((x + old) / 2 for x, old in zip(step.x, before.x, strict=True))
    return jax.vjp(step.function, *middle)[1](multipliers)


def _quotient(step: Step, multipliers: Arrays, before: Step) -> Sequence[Array]:
    """a / b is the product of a and 1 / b, and the difference of 1 / b is -(b - b') / (b b')."""
    (a, b), (a0, b0) = step.x, before.x
    of_value, of_factor = _shares(a, a0, 1 / b, 1 / b0)
    return jax.vjp(lambda p, q: p * of_value - q * of_factor / b / b0, a, b)[1](multipliers[0])


def _shares(x: Array, x0: Array, factor: Array, factor0: Array) -> tuple[Array, Array]:
    """The multipliers of a value and of the factor that normalizes it, for their product.

    The mean over both orders of changing them. A normalizer may be a thousand times as large for a constant baseline as
    for the image; both contributions would be as large and cancel, and so the value changes under the smaller factor.
    """
    large, small = jnp.maximum(jnp.abs(factor), jnp.abs(factor0)), jnp.minimum(jnp.abs(factor), jnp.abs(factor0))
    in_order, small_now = large > LARGE * small, jnp.abs(factor) <= jnp.abs(factor0)
    of_value = jnp.where(in_order, jnp.where(small_now, factor, factor0), (factor + factor0) / 2)
    return of_value, jnp.where(in_order, jnp.where(small_now, x0, x), (x + x0) / 2)
