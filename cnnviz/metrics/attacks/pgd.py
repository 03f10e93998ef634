"""Many steps against the gradient, each followed by a projection back to what is close enough."""

from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import Raw, Stepwise, gradient, method, per_row
from cnnviz.errors import InputError
from cnnviz.metrics.attacks.norms import check_norm, length, steepest, within
from cnnviz.types import Array, Image, Key, PyTree, Score


@method
class PGD(Stepwise):
    """Projected gradient descent of log p from a random start, within `epsilon` of the image.

    Each of the `steps` has the length `stride * epsilon / steps`, 2.5 as in the authors' experiments, so that any point
    can be reached from any other. The result is the last point. Madry et al. 2018, Towards deep learning models
    resistant to adversarial attacks, section 2.1 (arXiv:1706.06083).
    """

    steps: int = 20
    norm: str = "linf"
    stride: float = 2.5
    low: float = 0.0
    high: float = 1.0
    epsilon: Any = per_row(default=None)

    random = True

    def __post_init__(self):
        super().__post_init__()
        check_norm(self.norm)
        if not self.stride > 0:
            raise InputError(f"stride is positive, a multiple of epsilon / steps; it was {self.stride}.")

    def init(self, score: Score, image: Image, key: Key) -> PyTree:
        if self.norm == "linf":
            change = jax.random.uniform(key, image.shape, image.dtype, -1.0, 1.0)
        else:
            change = jax.random.normal(key, image.shape, image.dtype)
            radius = jax.random.uniform(jax.random.fold_in(key, 1)) ** (1 / image.size)  # uniform in the ball
            change *= radius / length(change, self.norm)
        return within(image, self.epsilon * change, self.norm, self.epsilon, self.low, self.high)

    def step(self, score: Score, image: Image, state: PyTree, i: Array) -> PyTree:
        move = -self.stride * self.epsilon / self.steps * steepest(gradient(score, state), self.norm)
        return within(image, jnp.asarray(state + move - image), self.norm, self.epsilon, self.low, self.high)

    def finish(self, score: Score, image: Image, state: PyTree, key: Key) -> Raw:
        return state
