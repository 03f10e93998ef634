"""Layer-wise relevance propagation: the score passed down from layer to layer in shares."""

from typing import Any

import jax.numpy as jnp

from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.propagation.composites import rules_of
from cnnviz.propagation.rules import backward
from cnnviz.propagation.steps import read
from cnnviz.types import Image, Score


@method
class LRP(Direct):
    """The relevance of each value of the image, by a composite of rules; the sum is the score minus the biases' shares.

    `composite` says which rule goes with which layer: a name of `propagation.composites.COMPOSITES` or entries of
    (predicate, rule). Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by layer-wise
    relevance propagation (doi:10.1371/journal.pone.0130140). Normalizers that depend on the image (LayerNorm,
    GroupNorm) and attention weights are constants, and the factors of any other product share equally, which conserves
    relevance: Ali et al. 2022 (arXiv:2202.07304) and Achtibat et al. 2024 (arXiv:2402.05602). Other rules for
    products are in `propagation.products`.
    """

    composite: Any = "epsilon_plus"

    rewritten = False

    def __post_init__(self):
        if not isinstance(self.composite, str):
            object.__setattr__(self, "composite", tuple(map(tuple, self.composite)))

    def __call__(self, score: Score, image: Image) -> Raw:
        reading = read(score, image, softmax=True)
        return backward(reading, rules_of(self.composite, reading), jnp.asarray(reading.array(reading.score)))


@method
class LRPZero(LRP):
    """LRP-0 everywhere, shares x w / z: for networks of ReLUs it is the gradient times the image."""

    composite: Any = "zero"


@method
class LRPEpsilon(LRP):
    """LRP-epsilon everywhere, shares x w / (z + epsilon sign z)."""

    composite: Any = "epsilon"


@method
class LRPEpsilonPlus(LRP):
    """LRP with z+ in convolutions and epsilon in dense layers."""

    composite: Any = "epsilon_plus"


@method
class LRPEpsilonPlusFlat(LRP):
    """As `lrp_epsilon_plus`, with equal shares in the first layer."""

    composite: Any = "epsilon_plus_flat"


@method
class LRPEpsilonAlpha2Beta1(LRP):
    """LRP with alpha 2 and beta 1 in convolutions and epsilon in dense layers."""

    composite: Any = "epsilon_alpha2_beta1"


@method
class LRPEpsilonAlpha2Beta1Flat(LRP):
    """As `lrp_epsilon_alpha2_beta1`, with equal shares in the first layer."""

    composite: Any = "epsilon_alpha2_beta1_flat"


@method
class LRPEpsilonGammaBox(LRP):
    """LRP with the box rule (pixels from 0 to 1) in first convolutions, gamma in others, epsilon in dense layers."""

    composite: Any = "epsilon_gamma_box"


@method
class AttnLRP(LRP):
    """LRP for transformers: products share equally, softmax is expanded at its input, normalization passes through.

    Convolutions follow gamma, dense layers epsilon. The expansion's constant takes a share, so the sum isn't the score.
    Achtibat et al. 2024, AttnLRP: attention-aware layer-wise relevance propagation for transformers, prop. 3.1 to 3.4
    (arXiv:2402.05602).
    """

    composite: Any = "attn_lrp"
