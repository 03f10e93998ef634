"""DeepLIFT's reveal-cancel rule: what pushes an activation up and what pushes it down are told apart.

Shrikumar et al., "Learning important features through propagating activation differences", 2017, sections 3.5.1 and
3.5.3. Each value's difference from the baseline is a positive and a negative part, and each part has a multiplier of
its own: what is attributed has a first axis of two.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from cnnviz.graph import Value
from cnnviz.graph.primitives import LAYERS, MOVES, SUMS
from cnnviz.propagation.lrp import negative, positive
from cnnviz.propagation.rescale import quotient, rules_from
from cnnviz.propagation.rules import Rule, Rules, backward, derivative
from cnnviz.propagation.steps import Reading, Step, evaluate, read
from cnnviz.types import Array, Image, Score

Given = tuple[Array, ...]
Parts = tuple[Array, Array]  # the positive part of a difference, and the negative one
LINEAR = SUMS | MOVES | {"scale"}


def reveal_cancel(score: Score, image: Image, baseline: Image) -> Image:
    """What each value of the image contributes to the score's difference from the baseline's; their sum is that."""
    reading = read(score, image)
    reference = evaluate(reading.graph, baseline)
    parts = _parts(reading, reference)
    layers = lambda step, given: _layer(step, given, reference)
    activations = lambda step, given: _activation(step, given, parts)
    own: Rules = {
        **dict.fromkeys(LAYERS, layers),
        **dict.fromkeys(LINEAR, _linear),
        "activation": activations,
    }
    rules = rules_from(reference)
    others: Rules = {name: rule and _collapsed(rule, reference) for name, rule in rules.items() if name not in own}
    above, below = backward(reading, ChainMap(own, others), jnp.ones(2, reading.score.dtype))
    difference = image - baseline
    return jnp.where(difference > 0, above, below) * difference


def _parts(reading: Reading, reference: Mapping[Value, Array]) -> dict[Value, Parts]:
    """The parts of every value's difference, from the image on."""
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
    """Equation 12: what a part adds, on the mean of its coming before and after the other."""
    f, old = lambda x: step.function(x)[0], reference[step.inputs[0]]
    bare, with_up, with_down, with_both = f(old), f(old + up), f(old + down), f(old + up + down)
    above = (with_up - bare + with_both - with_down) / 2
    return above, with_both - bare - above


def _linear_parts(step: Step, parts: Sequence[Parts]) -> Parts:
    """The sums of what the inputs' parts become, by sign."""
    pushes = [_push(step, i, part) for i, both in enumerate(parts) for part in both]
    zero = jnp.zeros(())
    return sum(map(positive, pushes), zero), sum(map(negative, pushes), zero)


def _push(step: Step, i: int, difference: Array) -> Array:
    """What a linear step makes of a difference in its input number i."""
    tangents = tuple(difference if j == i else jnp.zeros_like(x) for j, x in enumerate(step.x))
    return jax.jvp(step.function, step.x, tangents)[1][0]


def _layer(step: Step, given: Given, reference: Mapping[Value, Array]) -> Sequence[Array]:
    """A difference reaches the positive part through weights of its own sign, and the negative one by the others."""
    (x,), layer, (above, below) = step.x, step.layer, given[0]
    up, down = positive(layer.kernel), negative(layer.kernel)
    grown = layer.back(x, up, above) + layer.back(x, down, below)
    fallen = layer.back(x, up, below) + layer.back(x, down, above)
    difference = x - reference[step.inputs[0]]
    m = jnp.where(difference > 0, grown, jnp.where(difference < 0, fallen, (grown + fallen) / 2))
    return [jnp.stack([m, m])]


def _linear(step: Step, given: Given) -> Sequence[Array]:
    """A part keeps its sign or changes it, as the step's slope has it."""
    found = []
    for i, x in enumerate(step.x):
        back = lambda g, i=i: derivative(step, (g,))[i]
        rises = _push(step, i, jnp.ones_like(x)) >= 0
        above, below = given[0]
        found.append(jnp.stack([back(jnp.where(rises, above, below)), back(jnp.where(rises, below, above))]))
    return found


def _activation(step: Step, given: Given, parts: Mapping[Value, Parts]) -> Sequence[Array]:
    """Each part's multiplier: what it added to the output, over what it is."""
    slope = derivative(step, (jnp.ones_like(step.y[0]),))[0]
    pairs = zip(given[0], parts[step.outputs[0]], parts[step.inputs[0]], strict=True)
    return [jnp.stack([g * quotient(of_y, of_x, slope) for g, of_y, of_x in pairs])]


def _collapsed(rule: Rule, reference: Mapping[Value, Array]) -> Callable[[Step, Given], Sequence[Array | None]]:
    """A rule of rescale for what is neither a layer nor an activation: the whole difference counts as one part."""

    def whole(step: Step, given: Given) -> Sequence[Array | None]:
        rises = [y >= reference[value] for y, value in zip(step.y, step.outputs, strict=True)]
        found = rule(step, tuple(jnp.where(up, *g) for up, g in zip(rises, given, strict=True)))
        return [None if m is None else jnp.stack([m, m]) for m in found]

    return whole
