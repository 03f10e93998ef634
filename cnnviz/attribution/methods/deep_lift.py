"""What the difference from a baseline contributes, by multipliers that are difference quotients."""

from typing import Any

import jax.numpy as jnp

from cnnviz.attribution.shapes import Direct, Raw, method, per_image, value
from cnnviz.errors import check_known
from cnnviz.propagation.rescale import rescale
from cnnviz.propagation.reveal_cancel import reveal_cancel
from cnnviz.types import Image, Scalar, Score

RULES = {"rescale": rescale, "reveal_cancel": reveal_cancel}


@method
class DeepLIFT(Direct):
    """(x - x') times multipliers, for which an activation f passes back (f(x) - f(x')) / (x - x') in place of f'(x).

    The values sum to S(x) - S(x'). `rule` is "rescale", or "reveal_cancel", which treats positive and negative
    contributions to an activation separately. Shrikumar, Greenside & Kundaje 2017, Learning important features through
    propagating activation differences, eq. 5 to 12 (arXiv:1704.02685).
    """

    rule: str = "rescale"
    baseline: Any = per_image(default=0.0)

    rewritten = False

    def __post_init__(self):
        check_known("rule of deep_lift", self.rule, RULES)

    def __call__(self, score: Score, image: Image) -> Raw:
        return RULES[self.rule](score, image, jnp.broadcast_to(jnp.asarray(self.baseline, image.dtype), image.shape))

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        return value(score, image) - value(score, jnp.broadcast_to(self.baseline, image.shape))
