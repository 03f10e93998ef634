"""What the image and every bias of the network contribute to the score, as one map."""

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
    """The score as a sum: the image's contributions, gradient times value, and those of the biases, by step."""

    reading: Reading
    image: Image
    biases: dict[Step, Array]


def full_gradient(score: Score, image: Image) -> FullGradient:
    """The image's and the biases' contributions, whose sum is the score.

    A bias is what a step gives beyond its derivative times its input: the bias of a layer, a BatchNorm's in evaluation
    mode with it, and for a smooth activation the f(x) - f'(x) x that the paper calls implicit.
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
    return step.y[0] - jax.jvp(step.function, step.x, step.x)[1][0]


@method
class FullGrad(Direct):
    """The contributions of the image and of each convolution's bias, each brought to 0 to 1, upsampled and summed.

    psi(dS/dx x) + sum over layers and channels of psi(dS/db b), where psi is the absolute value, from the layer's least
    to its greatest, interpolated to the image's size. Biases without a place in the image (of dense layers) have no
    part in the map. Srinivas & Fleuret 2019, Full-gradient representation for neural network visualization, eq. 6
    (arXiv:1905.00780).
    """

    rewritten = False

    def __call__(self, score: Score, image: Image) -> Raw:
        found = full_gradient(score, image)
        axes = side_axes(found.reading.graph, found.reading.image, (0, 1))
        total = scaled(jnp.abs(found.image)).sum(-1)
        for step, bias in found.biases.items():
            high, wide = axes[step.outputs[0]]
            if high is not None and wide is not None:
                planes = jnp.moveaxis(bias, (high, wide), (0, 1)).reshape(bias.shape[high], bias.shape[wide], -1)
                total += upsampled(scaled(jnp.abs(planes)), (image.shape[0], image.shape[1]), "bilinear").sum(-1)
        return total[..., None]
