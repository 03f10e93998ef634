"""Where a random walk from the score down the network ends."""

import jax.numpy as jnp

from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.propagation.composites import layer, rules_of
from cnnviz.propagation.lrp import ZPlus
from cnnviz.propagation.rules import backward
from cnnviz.propagation.steps import read
from cnnviz.types import Image, Score


@method
class ExcitationBackprop(Direct):
    """The probability that a random walk from the score down the network ends at each value of the image.

    The walk goes from a unit to one that excites it, in proportion to the positive contributions x+ w+ (and x- w-, for
    inputs that may be negative): the z+ rule of LRP in every layer, started at 1. The values sum to 1 where no bias
    takes a share. Zhang et al. 2016, Top-down neural attention by excitation backprop, eq. 5 (arXiv:1608.00507).
    """

    rewritten = False

    def __call__(self, score: Score, image: Image) -> Raw:
        reading = read(score, image)
        return backward(reading, rules_of(((layer, ZPlus()),), reading), jnp.ones((), reading.score.dtype))
