"""Layer-wise relevance propagation: the score handed down from layer to layer in shares."""

from typing import Any

import jax.numpy as jnp

from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.propagation.composites import rules_of
from cnnviz.propagation.rules import backward
from cnnviz.propagation.steps import read
from cnnviz.types import Image, Score


@method
class LRP(Direct):
    """The relevance of each value of the image, by a composite of rules; it sums to the score but for what biases take.

    `composite` says which rule goes with which layer: a name of `propagation.composites.COMPOSITES` or entries of
    (predicate, rule). Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by layer-wise
    relevance propagation (doi:10.1371/journal.pone.0130140).
    """

    composite: Any = "epsilon_plus"

    rewritten = False

    def __post_init__(self):
        if not isinstance(self.composite, str):
            object.__setattr__(self, "composite", tuple(map(tuple, self.composite)))

    def __call__(self, score: Score, image: Image) -> Raw:
        reading = read(score, image)
        return backward(reading, rules_of(self.composite, reading), jnp.asarray(reading.array(reading.score)))


@method
class Zero(LRP):
    """LRP-0 everywhere, shares x w / z: on networks of ReLUs it is the gradient times the image."""

    composite: Any = "zero"


@method
class Epsilon(LRP):
    """LRP-epsilon everywhere, shares x w / (z + epsilon sign z)."""

    composite: Any = "epsilon"


@method
class EpsilonPlus(LRP):
    """LRP with z+ in convolutions and epsilon in dense layers."""

    composite: Any = "epsilon_plus"


@method
class EpsilonPlusFlat(LRP):
    """As `lrp_epsilon_plus`, with equal shares in the first layer."""

    composite: Any = "epsilon_plus_flat"


@method
class EpsilonAlpha2Beta1(LRP):
    """LRP with alpha 2 and beta 1 in convolutions and epsilon in dense layers."""

    composite: Any = "epsilon_alpha2_beta1"


@method
class EpsilonAlpha2Beta1Flat(LRP):
    """As `lrp_epsilon_alpha2_beta1`, with equal shares in the first layer."""

    composite: Any = "epsilon_alpha2_beta1_flat"


@method
class EpsilonGammaBox(LRP):
    """LRP with the box rule (pixels from 0 to 1) in first convolutions, gamma in others, epsilon in dense layers."""

    composite: Any = "epsilon_gamma_box"
