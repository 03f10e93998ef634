"""Shapley values of the image's segments, by least squares over random coalitions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.attribution.methods.estimates import Fitted, least_squares
from cnnviz.attribution.methods.regression import Regression
from cnnviz.attribution.segments import CELLS, grid
from cnnviz.attribution.shapes import method
from cnnviz.errors import InputError
from cnnviz.types import Array, Float, Image, Key, PyTree, Score


@method
class KernelSHAP(Regression):
    """The phi with sum phi = S(x) - S(infill) that minimizes sum_z (S(z) - S(infill) - phi z)^2 over coalitions z.

    Coalitions are drawn by the Shapley kernel, whose probability of s out of k segments is in proportion to
    (k - 1) / (s (k - s)), so that phi tends to the Shapley values; for a linear score it is w (x - infill) exactly.
    With `antithetic` every second coalition is the complement of the one before it. `samples` is the number of
    coalitions, at least 2 (k - 1), or k - 1 without pairs; without a `mask` a grid is as fine as they allow, at most 7
    cells along each side. Lundberg & Lee 2017, A unified approach to interpreting model predictions, theorem 2
    (arXiv:1705.07874); Covert & Lee 2021, Improving KernelSHAP, for the pairs (arXiv:2012.01536).
    """

    antithetic: bool = True

    def usual_mask(self, image_shape: tuple[int, ...]) -> Any:
        sides, most = image_shape[:-1] or image_shape, self._most
        finest = [c for c in range(2, CELLS + 1) if np.prod([min(c, n) for n in sides]) <= most]
        if len(image_shape) == 1 and most >= len(sides):
            return "values"
        if finest and len(image_shape) > 1:
            return f"grid:{finest[-1]}"
        strips = grid((max(sides), 1), max(2, min(CELLS, most)))[:, 0]
        longest = sides.index(max(sides))
        shape = [-1 if axis == longest else 1 for axis in range(len(image_shape))]
        return np.broadcast_to(strips.reshape(shape), image_shape)

    @property
    def remark(self) -> str:
        """A sentence if the usual mask is coarser for want of samples, else an empty text."""
        coarse = self.mask is None and self._most < CELLS**2
        return f"Its segments are as coarse as {self.samples} samples require; more make them finer." if coarse else ""

    @property
    def _most(self) -> int:
        """The number of segments for which there are samples enough."""
        return (self.samples // 2 if self.antithetic else self.samples) + 1

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        """Which segments are kept."""
        k = self.segments
        key, order = jax.random.split(jax.random.fold_in(key, i // 2 if self.antithetic else i))
        sizes = np.arange(1, k)
        size = jax.random.choice(key, jnp.asarray(sizes), p=jnp.asarray(_shares(k), jnp.float32))
        kept = jax.random.permutation(order, k) < size
        return jnp.where(self.antithetic & (i % 2 == 1), ~kept, kept)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        self._check()
        return super().contribute(score, image, sample)

    def fitted(self, score: Score, image: Image, worths: Float[Array, " n"], key: Key) -> Fitted:
        """Least squares for what each segment has beyond an equal share, which sums to zero."""
        all_kept, none_kept = self.ends(score, image)
        z, equal = self.coalitions(key, image).astype(image.dtype), (all_kept - none_kept) / self.segments
        beyond = worths - none_kept - z.sum(1) * equal
        rows = z - z.mean(1, keepdims=True)
        fitted = least_squares(rows, beyond, jnp.ones_like(beyond), 0.0, pairs=self.antithetic)
        return Fitted(fitted.coefficients + equal, fitted.error)

    def _check(self) -> None:
        if self.segments > self._most:
            least = (self.segments - 1) * (2 if self.antithetic else 1)
            raise InputError(
                f"kernel_shap needs at least {least} samples for {self.segments} segments, better ten times as many; "
                f"samples was {self.samples}. A coarser mask needs fewer."
            )


def _shares(k: int) -> Float[np.ndarray, " sizes"]:
    """The probability of each number of segments from 1 to k - 1."""
    sizes = np.arange(1, k)
    weights = 1 / (sizes * (k - sizes))
    return weights / weights.sum()
