"""The gradient, with every activation function turned into a ReLU of what comes back."""

from collections import ChainMap
from collections.abc import Sequence

import jax.numpy as jnp

from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.propagation.rules import RULES, backward
from cnnviz.propagation.steps import Step, read
from cnnviz.types import Array, Image, Score


def rectified(step: Step, cotangents: tuple[Array, ...]) -> Sequence[Array]:
    return [jnp.maximum(g, 0) for g in cotangents]


@method
class Deconvnet(Direct):
    """The gradient, where every activation function hands back max(g, 0) of the g that came to it, whatever its input.

    Max-pooling hands all to the place of its maximum. With no activation function it is the gradient. Zeiler & Fergus
    2014, Visualizing and understanding convolutional networks, section 2.1 (arXiv:1311.2901).
    """

    rewritten = False

    def __call__(self, score: Score, image: Image) -> Raw:
        reading = read(score, image)
        return backward(reading, ChainMap({"activation": rectified}, RULES), jnp.ones((), reading.score.dtype))
