"""Gradients integrated along a path that moves the pixels with the least gradient first."""

from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.order import smallest
from cnnviz.attribution.shapes import Raw, Stepwise, gradient, method, per_image, value
from cnnviz.errors import InputError
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class GuidedIG(Stepwise):
    """The sum over steps of dS/dx times the step, where a step moves the `fraction` of pixels with the least |dS/dx|.

    After step i of n the distance to the image, summed over pixels, is 1 - i/n of the baseline's; each pixel stays
    within `max_distance` of the straight path (1 leaves it free, 0 is the straight path). The values sum to
    S(x) - S(x') up to the steps' error. Pixels with equal gradients (a flat baseline, under a mean over places) move
    in an order that rounding decides, so another library's map of such a network may differ by a tenth of its largest
    value, although the algorithm is the same. Kapishnikov et al. 2021, Guided integrated gradients (arXiv:2106.09788),
    with the defaults of its authors' code.
    """

    steps: int = 200
    fraction: float = 0.25
    max_distance: float = 0.02
    baseline: Any = per_image(default=0.0)

    def __post_init__(self):
        super().__post_init__()
        for name, share in (("fraction", self.fraction), ("max_distance", self.max_distance)):
            if not 0 <= share <= 1:
                raise InputError(f"{name} is a number from 0 to 1; it was {share}.")

    def init(self, score: Score, image: Image, key: Key) -> PyTree:
        start = jnp.broadcast_to(self.baseline, image.shape)
        return start, jnp.zeros_like(image)

    def step(self, score: Score, image: Image, state: PyTree, i: Array) -> PyTree:
        x, total = state
        slope = gradient(score, x)
        moved = self._moved(image, x, slope, (i + 1) / self.steps)
        return moved, total + (moved - x) * slope

    def _moved(self, image: Image, x: Image, slope: Image, share: Array) -> Image:
        """The pixels after a step that leaves 1 - share of the distance between baseline and image."""
        path = lambda a: self.baseline + a * (image - self.baseline)
        low, high = jnp.clip(share - self.max_distance, 0, 1), jnp.clip(share + self.max_distance, 0, 1)
        distance = lambda x: jnp.abs(x - image).sum()
        target = distance(path(0.0)) * (1 - share)
        span = image - self.baseline
        behind = (span != 0) & ((x - self.baseline) / jnp.where(span == 0, 1, span) < low)
        x, ahead = jnp.where(behind, path(low), x), path(high)

        def unfinished(state: tuple[Image, Array]) -> Array:
            return ~state[1]

        def move(state: tuple[Image, Array]) -> tuple[Image, Array]:
            x, _ = state
            steepness = jnp.where(x == ahead, jnp.inf, jnp.abs(slope))
            threshold = smallest(steepness, int(self.fraction * (steepness.size - 1)))
            chosen = (steepness <= threshold) & (steepness < jnp.inf)
            reach = jnp.where(chosen, jnp.abs(ahead - x), 0).sum()
            gap = distance(x) - target
            part = jnp.where(reach > 0, jnp.clip(gap / jnp.where(reach > 0, reach, 1), 0, 1), 0)
            last = (gap <= reach) | ~chosen.any()
            there = jnp.where(last, x + part * (ahead - x), ahead)
            return jnp.where(chosen, there, x), last

        done = distance(x) <= target
        return jax.lax.while_loop(unfinished, move, (x, done))[0]

    def finish(self, score: Score, image: Image, state: PyTree, key: Key) -> Raw:
        return state[1]

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        return value(score, image) - value(score, jnp.broadcast_to(self.baseline, image.shape))
