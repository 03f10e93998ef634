"""Where a random walk from the score down the network ends."""

import jax.numpy as jnp

from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.propagation.composites import every, layer, rules_of, scaling
from cnnviz.propagation.excitation import ExcitingFactors, ExcitingSummands
from cnnviz.propagation.lrp import ZPlus, keep_scaled
from cnnviz.propagation.rules import backward
from cnnviz.propagation.steps import read
from cnnviz.types import Image, Score

WALK = ((layer, ZPlus()), (scaling, keep_scaled), (every, ExcitingSummands()), (every, ExcitingFactors()))


@method
class ExcitationBackprop(Direct):
    """The probability that a random walk from the score down the network ends at each value of the image.

    The walk goes from a unit to one that excites it, in proportion to the positive contributions x+ w+ (and x- w-, for
    inputs that may be negative): the z+ rule of LRP in every layer, started at 1. No value is negative, and they sum to
    1 where no bias takes a share, at most to 1 otherwise. Elementwise functions, and scalings that are not part of a
    layer (a BatchNorm after a ReLU), have one input per output and pass everything on; zennit multiplies by their
    slopes there, whose result is no probability, and shares a sum of branches of both signs by signed contributions.
    Zhang et al. 2016, Top-down neural attention by excitation backprop, eq. 5 (arXiv:1608.00507).
    """

    rewritten = False

    def __call__(self, score: Score, image: Image) -> Raw:
        reading = read(score, image, softmax=True)
        return backward(reading, rules_of(WALK, reading), jnp.ones((), reading.score.dtype))
