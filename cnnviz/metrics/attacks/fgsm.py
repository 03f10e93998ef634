"""One step against the gradient."""

from typing import Any

from cnnviz.attribution.shapes import Direct, Raw, gradient, method, per_row
from cnnviz.metrics.attacks.norms import check_norm, steepest, within
from cnnviz.types import Image, Score


@method
class FGSM(Direct):
    """x - epsilon * sign(grad log p(x)), within `low` to `high`: the fast gradient sign method.

    With `norm="l2"` the gradient is divided by its length instead. Goodfellow, Shlens & Szegedy 2015, Explaining and
    harnessing adversarial examples, section 4 (arXiv:1412.6572).
    """

    norm: str = "linf"
    low: float = 0.0
    high: float = 1.0
    epsilon: Any = per_row(default=None)

    def __post_init__(self):
        check_norm(self.norm)

    def __call__(self, score: Score, image: Image) -> Raw:
        change = -self.epsilon * steepest(gradient(score, image), self.norm)
        return within(image, change, self.norm, self.epsilon, self.low, self.high)
