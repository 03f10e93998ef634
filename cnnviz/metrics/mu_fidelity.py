"""The correlation of a map with the score's fall over random subsets of the cells of a grid."""

from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.alike import correlation, fractional_ranks
from cnnviz.attribution.shapes import method, value
from cnnviz.metrics.shapes import Map, check_positive, check_share
from cnnviz.metrics.subsets import Subsets
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class MuFidelity(Subsets):
    """Spearman's correlation of what the map gives to a random part of the image with the fall of the score without it.

    A part is made of the cells of a `grid` by `grid` mask, each of which is in it with the probability `share`; higher
    is better. Bhatt, Weller & Moura 2020, definition 4 (arXiv:2005.00631), in the form of Fel et al. 2021, Look at the
    variance! (arXiv:2111.04138), section 4.1, with the defaults of Xplique, where it is muFidelity: equal in
    expectation.
    """

    samples: int = 200
    grid: int = 9
    share: float = 0.2

    def __post_init__(self):
        super().__post_init__()
        check_positive(grid=self.grid)
        check_share(share=self.share)

    def subset(self, map: Map, key: Key, i: Array) -> Any:
        cells = [min(self.grid, n) for n in map.shape[:2]] + [1] * (map.ndim - 2)
        drawn = jax.random.uniform(jax.random.fold_in(key, i), cells) < self.share
        return jnp.broadcast_to(nearest(drawn, map.shape[:2]), map.shape)

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        total, after = found
        return correlation(fractional_ranks(total), fractional_ranks(value(score, image) - after))


def nearest(cells: Array, sides: tuple[int, ...]) -> Array:
    """The cells enlarged over the first axes: each place has the value of the cell that its center is in."""
    for axis, n in enumerate(sides):
        at = ((jnp.arange(n) + 0.5) * cells.shape[axis] / n).astype(int)
        cells = jnp.take(cells, at, axis)
    return cells
