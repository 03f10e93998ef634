"""The smallest change that changes the answer, as far as it is found."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import Raw, Stepwise, method
from cnnviz.metrics.attacks.norms import SMALLEST, check_norm
from cnnviz.metrics.shapes import check_positive
from cnnviz.types import LOGITS, Array, Image, Key, PyTree, Score


@method
class Minimal(Stepwise):
    """DeepFool: steps to the nearest boundary of the network's linearization, until the answer is another one.

    A value at an end of its range is held where a step would take it out. Then the change is made as short as it can be
    along its line, by `bisections`. What is found is an upper bound of the smallest change; where the answer never
    changes the image is what it ends at. Moosavi-Dezfooli, Fawzi & Frossard 2016, DeepFool: a simple and accurate
    method to fool deep neural networks, algorithm 2 and section 2 for other norms (arXiv:1511.04599), which has no
    ranges. Against the predicted class.
    """

    steps: int = 30
    norm: str = "l2"
    overshoot: float = 0.02
    bisections: int = 8
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        check_norm(self.norm)
        check_positive(bisections=self.bisections)

    def init(self, score: Score, image: Image, key: Key) -> PyTree:
        return image, jnp.argmax(_logits(score, image))

    def step(self, score: Score, image: Image, state: PyTree, i: Array) -> PyTree:
        point, first = state
        logits, slopes = _logits(score, point), jax.jacrev(lambda x: _logits(score, x))(point)
        apart, normals = logits - logits[first], slopes - slopes[first][None]
        fixed = jnp.where(normals > 0, point[None] >= self.high, point[None] <= self.low)
        normals = jnp.where(fixed, 0.0, normals)
        flat = normals.reshape(len(logits), -1)
        dual = abs(flat).sum(1) if self.norm == "linf" else jnp.sqrt(jnp.square(flat).sum(1))
        far = jnp.where(jnp.arange(len(logits)) == first, jnp.inf, abs(apart) / jnp.maximum(dual, SMALLEST))
        nearest = jnp.argmin(far)
        normal, distance = normals[nearest], far[nearest]
        unit = jnp.sign(normal) if self.norm == "linf" else normal / jnp.maximum(dual[nearest], SMALLEST)
        moved = jnp.clip(point + (1 + self.overshoot) * (distance + SMALLEST) * unit, self.low, self.high)
        return jnp.where(jnp.argmax(logits) == first, moved, point), first

    def finish(self, score: Score, image: Image, state: PyTree, key: Key) -> Raw:
        (point, first), near, far = state, jnp.zeros(()), jnp.ones(())
        for _ in range(self.bisections):
            middle = (near + far) / 2
            changed = jnp.argmax(_logits(score, image + middle * (point - image))) != first
            near, far = jnp.where(changed, near, middle), jnp.where(changed, middle, far)
        return image + far * (point - image)


def _logits(score: Score, image: Image) -> Array:
    return score(image, {})[1][LOGITS]
