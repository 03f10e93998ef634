"""The contributions of the image and of every bias of the network to the score, as one map."""

from collections import ChainMap
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.attribution.present import scaled, upsampled
from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.graph.primitives import LAYERS
from cnnviz.graph.receptive_field import side_axes
from cnnviz.propagation.rules import JOINT, RULES, Rules, backward, derivative
from cnnviz.propagation.steps import Reading, Step, read
from cnnviz.types import Array, Image, Score


class FullGradient(NamedTuple):
    """The score as a sum: contributions of the image, gradient times pixel, and of each bias, by step."""

    reading: Reading
    image: Image
    biases: dict[Step, Array]


def full_gradient(score: Score, image: Image) -> FullGradient:
    """The image's and the biases' contributions, whose sum is the score.

    A bias is a step's output minus its derivative times its input: the bias of a layer, that of a BatchNorm in
    evaluation mode, and for a smooth activation the f(x) - f'(x) x that the paper calls implicit.
    """
    reading = read(score, image)
    biases: dict[Step, Array] = {}

    def noting(step: Step, cotangents: tuple[Array, ...]) -> Sequence[Array]:
        biases[step] = cotangents[0] * bias_of(step)
        return derivative(step, cotangents)

    rules: Rules = ChainMap(dict.fromkeys([*LAYERS, "scale", "activation", *JOINT], noting), RULES)
    gradient = backward(reading, rules, jnp.ones((), reading.score.dtype))
    return FullGradient(reading, gradient * image, biases)


def bias_of(step: Step) -> Array:
    """The step's output minus its derivative times its input, in the output's shape."""
    return step.y[0] - jax.jvp(step.function, step.x, step.x)[1][0]


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
