"""The gradient, with negative cotangents set to zero on the way back."""

from collections import ChainMap
from collections.abc import Sequence

import jax.numpy as jnp

from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.propagation.rules import RULES, backward, derivative
from cnnviz.propagation.steps import Step, read
from cnnviz.types import Array, Image, Score


def guided(step: Step, cotangents: tuple[Array, ...]) -> Sequence[Array]:
    """The derivative of the positive part of each cotangent, as the rule of an activation function."""
    return derivative(step, tuple(jnp.maximum(g, 0) for g in cotangents))


@method
class GuidedBackprop(Direct):
    """The gradient, where every activation function f passes back f'(x) max(g, 0) of its cotangent g.

    For a ReLU that is `g [g > 0] [x > 0]`. Without activation functions it is the gradient. Springenberg et al. 2015,
    Striving for simplicity: the all convolutional net, section 3.4 (arXiv:1412.6806).
    """

    rewritten = False

    def __call__(self, score: Score, image: Image) -> Raw:
        reading = read(score, image)
        return backward(reading, ChainMap({"activation": guided}, RULES), jnp.ones((), reading.score.dtype))
