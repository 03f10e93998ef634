"""The contributions of the image and of every bias of the network to the score, as one map."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.attribution.present import scaled, upsampled
from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.graph.primitives import MAXIMA, MOVES, SUMS
from cnnviz.graph.receptive_field import side_axes
from cnnviz.propagation.rules import FOURIER, RULES, Rule, backward, derivative
from cnnviz.propagation.steps import Reading, Step, is_differentiable, read
from cnnviz.types import Array, Image, Score


class FullGradient(NamedTuple):
    """The score as a sum: contributions of the image, gradient times pixel, and of each bias, by step."""

    reading: Reading
    image: Image
    biases: dict[Step, Array]


def full_gradient(score: Score, image: Image) -> FullGradient:
    """The image's and the biases' contributions, whose sum is the score.

    A bias is a step's output minus its derivative times its input: the bias of a layer, that of a BatchNorm in
    evaluation mode, and for a smooth activation the f(x) - f'(x) x that the paper calls implicit. Where the model's
    derivative is not that of what it computes (`stop_gradient`, a rounding with a straight-through derivative), the
    bias is what the derivative leaves out; so are constants among the values (a class token, padding). There is no bias
    if no derivative reaches the image.
    """
    reading, reached = read(score, image), set()
    biases: dict[Step, Array] = {}

    def noted(rule: Rule) -> Rule:
        def noting(step: Step, cotangents: tuple[Array, ...]) -> Sequence[Array | None]:
            if len(step.outputs) == 1 and has_bias(step):
                biases[step] = (cotangents[0] * bias_of(step)).real
            found = rule(step, cotangents)
            reached.update(value for value, g in zip(step.inputs, found, strict=True) if g is not None)
            return found

        return noting

    rules = {name: rule and noted(rule) for name, rule in RULES.items()}
    gradient = backward(reading, rules, jnp.ones((), reading.score.dtype))
    return FullGradient(reading, gradient * image, biases if reading.image in reached else {})


def has_bias(step: Step) -> bool:
    """Whether the output may differ from the derivative times the input."""
    if step.name in MAXIMA or step.selects:
        return False
    constant = lambda value: value not in step.reading.depends and is_differentiable(value)
    adds = any(constant(v) and not v.is_number(lambda number: number == 0) for v in step.nodes[0].inputs)
    return adds if step.name in MOVES | SUMS | FOURIER else True


def bias_of(step: Step) -> Array:
    """The step's output minus its derivative times its input, in the output's shape."""
    if not any(node.name.startswith("custom_vjp") for node in step.nodes):
        return step.y[0] - jax.jvp(step.function, step.x, step.x)[1][0]
    back = lambda y: tuple(derivative(step, (y,)))  # such a function has a derivative backward alone,
    return step.y[0] - jax.vjp(back, jnp.zeros_like(step.y[0]))[1](step.x)[0]  # whose transpose is the one forward


@method
class FullGrad(Direct):
    """The contributions of the image and of each convolution's bias, each scaled to 0 to 1, upsampled and summed.

    psi(dS/dx x) + sum over layers and channels of psi(dS/db b), where psi is the absolute value, scaled so that the
    layer's least is 0 and its greatest 1, upsampled to the image's size. Biases without a place in the image (of dense
    layers) are left out. Srinivas & Fleuret 2019, Full-gradient representation for neural network visualization, eq. 6
    (arXiv:1905.00780).
    """

    rewritten = False

    def __call__(self, score: Score, image: Image) -> Raw:
        found = full_gradient(score, image)
        sides = image.shape[:-1]
        axes = side_axes(found.reading.graph, found.reading.image, range(len(sides)))
        total = scaled(jnp.abs(found.image))
        total = total.sum(-1) if sides else total
        for step, bias in found.biases.items():
            kept = [axis for axis in axes[step.outputs[0]] if axis is not None]
            if sides and len(kept) == len(sides):
                planes = jnp.moveaxis(bias, kept, range(len(kept)))
                planes = planes.reshape(*planes.shape[: len(kept)], -1)
                total += upsampled(scaled(jnp.abs(planes)), sides, "bilinear").sum(-1)
        return total[..., None] if sides else total
