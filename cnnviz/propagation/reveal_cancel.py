"""DeepLIFT's reveal-cancel rule: what raises an activation and what lowers it are kept apart.

Shrikumar et al., "Learning important features through propagating activation differences", 2017, sections 3.5.1 and
3.5.3. Each value's difference from the baseline is the sum of a positive and a negative part, and each part has its own
multiplier: multipliers have the shape `[2, *shape of the value]`.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from cnnviz.graph import Value
from cnnviz.graph.primitives import LAYERS, MOVES, SUMS
from cnnviz.propagation.lrp import negative, positive
from cnnviz.propagation.rescale import quotient, rules_from
from cnnviz.propagation.rules import Arrays, Rule, Rules, backward, derivative
from cnnviz.propagation.steps import Reading, Step, evaluate, read
from cnnviz.types import Array, Image, Score

Parts = tuple[Array, Array]  # the positive part of a difference, and the negative one
LINEAR = SUMS | MOVES | {"scale"}


def reveal_cancel(score: Score, image: Image, baseline: Image) -> Image:
    """The contribution `[... c]` of each value of the image to the difference of its score from the baseline's.

    The contributions sum to that difference.
    """
    reading = read(score, image)
    reference = evaluate(reading.graph, baseline)
    parts = _parts(reading, reference)
    layers = lambda step, multipliers: _layer(step, multipliers, reference)
    activations = lambda step, multipliers: _activation(step, multipliers, parts)
    split: Rules = {
        **dict.fromkeys(LAYERS, layers),
        **dict.fromkeys(LINEAR, _linear),
        "activation": activations,
    }
    rules = rules_from(reference)
    others: Rules = {name: rule and _collapsed(rule, reference) for name, rule in rules.items() if name not in split}
    above, below = backward(reading, ChainMap(split, others), jnp.ones(2, reading.score.dtype))
    difference = image - baseline
    return jnp.where(difference > 0, above, below) * difference


def _parts(reading: Reading, reference: Mapping[Value, Array]) -> dict[Value, Parts]:
    """The parts of the difference of every value, from the image to the score."""
    difference = lambda value: reading.values[value] - reference[value]
    split = lambda array: (positive(array), negative(array))
    parts = {reading.image: split(difference(reading.image))}
    for step in reading.steps:
        if step.name in LAYERS:
            parts[step.outputs[0]] = _layer_parts(step, *split(difference(step.inputs[0])))
        elif step.name == "activation":
            parts[step.outputs[0]] = _activation_parts(step, reference, *parts[step.inputs[0]])
        elif step.name in LINEAR and len(step.outputs) == 1:
            parts[step.outputs[0]] = _linear_parts(step, [parts[value] for value in step.inputs])
        else:
            parts.update({value: split(difference(value)) for value in step.outputs})
    return parts


def _layer_parts(step: Step, up: Array, down: Array) -> Parts:
    """Equations 7 and 8: contributions w (x - x') by their sign."""
    layer, w = step.layer, step.layer.kernel
    sum_of = lambda ahead, behind: layer.multiply(up, ahead) + layer.multiply(down, behind)
    return sum_of(positive(w), negative(w)), sum_of(negative(w), positive(w))


def _activation_parts(step: Step, reference: Mapping[Value, Array], up: Array, down: Array) -> Parts:
    """Equation 12: the part's contribution, averaged over both orders of adding the parts."""
    f, old = lambda x: step.function(x)[0], reference[step.inputs[0]]
    before, with_up, with_down, with_both = f(old), f(old + up), f(old + down), f(old + up + down)
    above = (with_up - before + with_both - with_down) / 2
    return above, with_both - before - above


def _linear_parts(step: Step, parts: Sequence[Parts]) -> Parts:
    """The inputs' parts, mapped by the step and summed by their sign."""
    pushes = [_push(step, i, part) for i, both in enumerate(parts) for part in both]
    zero = jnp.zeros((), pushes[0].dtype)
    return sum(map(positive, pushes), zero), sum(map(negative, pushes), zero)


def _push(step: Step, i: int, difference: Array) -> Array:
    """The difference in a linear step's output that a difference in its input number i makes."""
    tangents = tuple(difference if j == i else jnp.zeros_like(x) for j, x in enumerate(step.x))
    return jax.jvp(step.function, step.x, tangents)[1][0]


def _layer(step: Step, multipliers: Arrays, reference: Mapping[Value, Array]) -> Sequence[Array]:
    """A difference adds to the positive part by the weights of its own sign, and to the negative one by the others."""
    (x,), layer, (above, below) = step.x, step.layer, multipliers[0]
    up, down = positive(layer.kernel), negative(layer.kernel)
    grown = layer.back(x, up, above) + layer.back(x, down, below)
    fallen = layer.back(x, up, below) + layer.back(x, down, above)
    difference = x - reference[step.inputs[0]]
    m = jnp.where(difference > 0, grown, jnp.where(difference < 0, fallen, (grown + fallen) / 2))
    return [jnp.stack([m, m])]


def _linear(step: Step, multipliers: Arrays) -> Sequence[Array]:
    """A part keeps its sign where the step's slope is positive, and changes it where it is negative."""
    found = []
    for i, x in enumerate(step.x):
        back = lambda g, i=i: derivative(step, (g,))[i]
        rises = _push(step, i, jnp.ones_like(x)) >= 0
        above, below = multipliers[0]
        found.append(jnp.stack([back(jnp.where(rises, above, below)), back(jnp.where(rises, below, above))]))
    return found


def _activation(step: Step, multipliers: Arrays, parts: Mapping[Value, Parts]) -> Sequence[Array]:
    """Each part's multiplier: what it adds to the output, divided by the part."""
    slope = derivative(step, (jnp.ones_like(step.y[0]),))[0]
    pairs = zip(multipliers[0], parts[step.outputs[0]], parts[step.inputs[0]], strict=True)
    return [jnp.stack([g * quotient(of_y, of_x, slope) for g, of_y, of_x in pairs])]


def _collapsed(rule: Rule, reference: Mapping[Value, Array]) -> Callable[[Step, Arrays], Sequence[Array | None]]:
    """A rule of rescale, for steps other than layers and activations: the difference is not split into parts."""

    def unsplit(step: Step, multipliers: Arrays) -> Sequence[Array | None]:
        rises = [y >= reference[value] for y, value in zip(step.y, step.outputs, strict=True)]
        found = rule(step, tuple(jnp.where(up, *g) for up, g in zip(rises, multipliers, strict=True)))
        return [None if m is None else jnp.stack([m, m]) for m in found]

    return unsplit
