"""DeepLIFT's reveal-cancel rule: what raises an activation and what lowers it are kept apart.

Shrikumar et al., "Learning important features through propagating activation differences", 2017, sections 3.5.1 and
3.5.3. Each value's difference from the baseline is the sum of a positive and a negative part, and each part has its own
multiplier: multipliers have the shape `[2, *shape of the value]`.

The paper evaluates an activation with only one part added, which is outside of what its input can be: the variance in
a LayerNorm would be negative. Where a function is undefined there, or so steep that rounding would decide the sum, the
difference is not split, and the rescale rule holds for that value; so it does for whatever is neither linear nor an
activation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

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
STEEP = 100  # how many times steeper than at both ends, and than 1, a function may be on the way to a part


def reveal_cancel(score: Score, image: Image, baseline: Image) -> Image:
    """The contribution `[... c]` of each value of the image to the difference of its score from the baseline's.

    The contributions sum to that difference.
    """
    reading = read(score, image)
    differences = Differences(reading, evaluate(reading.graph, baseline))
    above, below = backward(reading, differences.rules, jnp.ones(2, reading.score.dtype))
    difference = image - baseline
    return jnp.where(difference > 0, above, below) * difference


@dataclass(frozen=True, eq=False)
class Differences:
    """A reading's differences from the values of its graph at the baseline, and the rules that hand them down."""

    reading: Reading
    reference: Mapping[Value, Array]

    def of(self, value: Value) -> Array:
        """The difference of a value."""
        return self.reading.values[value] - self.reference[value]

    @cached_property
    def rules(self) -> Rules:
        """The table of the rule, for multipliers of both parts."""
        whole = rules_from(self.reference)
        split = {**dict.fromkeys(LAYERS, self._layer), **dict.fromkeys(LINEAR, self._linear)}
        split["activation"] = self._activation

        def choosing(name: str, rule: Rule) -> Rule:
            apart, together = split.get(name), lambda step, given: self._together(rule, step, given)
            return lambda step, given: apart(step, given) if apart and is_split(step) else together(step, given)

        return {name: rule and choosing(name, rule) for name, rule in whole.items()}

    @cached_property
    def parts(self) -> dict[Value, Parts]:
        """The parts of the difference of every value, from the image to the score."""
        found = {self.reading.image: signs(self.of(self.reading.image))}
        for step in self.reading.steps:
            inputs = [found[value] for value in step.inputs]
            if not is_split(step):
                made = [signs(self.of(value)) for value in step.outputs]
            elif step.name in LAYERS:
                made = [_layer_parts(step, *signs(self.of(step.inputs[0])))]
            elif step.name == "activation":
                made = [self._activation_parts(step, *inputs[0])]
            else:
                made = _linear_parts(step, inputs)
            found.update(zip(step.outputs, made, strict=True))
        return found

    def _activation_parts(self, step: Step, up: Array, down: Array) -> Parts:
        """Equation 12: the part's contribution, averaged over both orders of adding the parts."""
        above, below, undefined = self._contributions(step, up, down)
        whole = signs(self.of(step.outputs[0]))
        return jnp.where(undefined, whole[0], above), jnp.where(undefined, whole[1], below)

    def _contributions(self, step: Step, up: Array, down: Array) -> tuple[Array, Array, Array]:
        """What both parts add to an activation, and where they cannot be told apart."""
        f, old = lambda x: step.function(x)[0], self.reference[step.inputs[0]]
        before, with_up, with_down, with_both = f(old), f(old + up), f(old + down), f(old + up + down)
        above = (with_up - before + with_both - with_down) / 2
        limit = STEEP * jnp.maximum(1, jnp.maximum(*(jnp.abs(_slope(one)) for one in (step, step.at(self.reference)))))
        fits = lambda at, part: jnp.isfinite(at) & (jnp.abs(at - before) <= limit * jnp.abs(part))
        return above, with_both - before - above, ~(fits(with_up, up) & fits(with_down, down))

    def _activation(self, step: Step, multipliers: Arrays) -> Sequence[Array]:
        """Each part's multiplier: what it adds to the output, divided by the part."""
        (value,), up, down = step.inputs, *self.parts[step.inputs[0]]
        above, below, undefined = self._contributions(step, up, down)
        slope = _slope(step)
        whole = quotient(self.of(step.outputs[0]), self.of(value), slope) * self._by_sign(step, multipliers)[0]
        pairs = zip(multipliers[0], (above, below), (up, down), strict=True)
        return [jnp.stack([jnp.where(undefined, whole, g * quotient(of_y, of_x, slope)) for g, of_y, of_x in pairs])]

    def _layer(self, step: Step, multipliers: Arrays) -> Sequence[Array]:
        """A difference adds to the positive part by weights of its own sign, and to the negative one by the others."""
        (x,), layer, (above, below) = step.x, step.layer, multipliers[0]
        up, down = positive(layer.kernel), negative(layer.kernel)
        grown = layer.back(x, up, above) + layer.back(x, down, below)
        fallen = layer.back(x, up, below) + layer.back(x, down, above)
        difference = self.of(step.inputs[0])
        m = jnp.where(difference > 0, grown, jnp.where(difference < 0, fallen, (grown + fallen) / 2))
        return [jnp.stack([m, m])]

    def _linear(self, step: Step, multipliers: Arrays) -> Sequence[Array]:
        """What a part of an input adds to an output counts there by its sign."""
        found = []
        for i, value in enumerate(step.inputs):
            both = []
            for part, own in zip(self.parts[value], (True, False), strict=True):
                pushes = zip(_push(step, i, part), multipliers, strict=True)
                counts = [jnp.where(push >= 0 if own else push > 0, *given) for push, given in pushes]
                both.append(derivative(step, tuple(counts))[i])
            found.append(jnp.stack(both))
        return found

    def _together(self, rule: Rule, step: Step, multipliers: Arrays) -> Sequence[Array | None]:
        """A rule of rescale: the difference is not split into parts."""
        return [None if m is None else jnp.stack([m, m]) for m in rule(step, self._by_sign(step, multipliers))]

    def _by_sign(self, step: Step, multipliers: Arrays) -> Arrays:
        """The multipliers of the parts that hold the outputs' entire differences."""
        rises = [signs(self.of(value))[1] == 0 for value in step.outputs]
        return tuple(jnp.where(up, *both) for up, both in zip(rises, multipliers, strict=True))


def is_split(step: Step) -> bool:
    """Whether the rule keeps parts apart in this step."""
    linear = step.name in LINEAR and not step.selects
    return not step.is_complex and (linear or step.name in LAYERS or step.name == "activation")


def signs(difference: Array) -> Parts:
    """The positive part of a difference and the negative one; a complex one counts as positive."""
    if jnp.iscomplexobj(difference):
        return difference, jnp.zeros_like(difference)
    return positive(difference), negative(difference)


def _layer_parts(step: Step, up: Array, down: Array) -> Parts:
    """Equations 7 and 8: contributions w (x - x') by their sign."""
    layer, w = step.layer, step.layer.kernel
    sum_of = lambda ahead, behind: layer.multiply(up, ahead) + layer.multiply(down, behind)
    return sum_of(positive(w), negative(w)), sum_of(negative(w), positive(w))


def _linear_parts(step: Step, parts: Sequence[Parts]) -> list[Parts]:
    """The inputs' parts, mapped by the step and summed by their sign: those of each output."""
    pushes = [_push(step, i, part) for i, both in enumerate(parts) for part in both]
    zero = jnp.zeros((), pushes[0][0].dtype)
    return [
        (sum(map(positive, of_one), zero), sum(map(negative, of_one), zero)) for of_one in zip(*pushes, strict=True)
    ]


def _push(step: Step, i: int, difference: Array) -> Arrays:
    """The differences in a linear step's outputs that a difference in its input number i makes."""
    tangents = tuple(difference if j == i else jnp.zeros_like(x) for j, x in enumerate(step.x))
    return jax.jvp(step.function, step.x, tangents)[1]


def _slope(step: Step) -> Array:
    """An activation's derivative."""
    return derivative(step, (jnp.ones_like(step.y[0]),))[0]
