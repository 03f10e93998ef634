"""How much the score depends on each segment's presence, as a kernel measures it."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.estimates import doubly_centered, error_of_mean
from cnnviz.attribution.methods.masked import Masked
from cnnviz.attribution.shapes import Raw, method, value
from cnnviz.types import Array, Float, Image, Key, PyTree, Score


@method
class HSIC(Masked):
    """The Hilbert-Schmidt independence criterion of the score and whether the segment is kept: tr(K H L H) / n^2.

    Segments are kept with probability 1/2, each by itself; K_ab = 1 if samples a and b agree in the segment, else 0,
    L_ab = exp(-(S_a - S_b)^2 / 2 w^2), and H centers. The width w is the median of |S_a - S_b| over samples n/2 apart.
    Values are not negative, have no sign, and are 0 in the limit if and only if the score does not depend on the
    segment; of n samples they are about 1/(8 n) even then. Novello, Fel & Vigouroux 2022, Making sense of
    dependence: efficient black-box explanations using dependence measure, eq. 3 and 5 (arXiv:2206.06219).
    """

    samples: int = 1000

    random = True
    keep = True

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        """Which segments are kept."""
        return jax.random.bernoulli(jax.random.fold_in(key, i), jnp.float32(0.5), (self.segments,))

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return self.worth(score, image, sample)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(self._of_samples(image, total - value(score, image), key).mean(0))

    def standard_error(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        """Of the criterion's linear part and, which is all where the score does not depend on a segment, its square."""
        changes = total - value(score, image)
        linear = 2 * error_of_mean(self._of_samples(image, changes, key))
        square = jnp.square(doubly_centered(_alike(changes))).mean() / (2 * self.samples**2)
        return self.spread(jnp.sqrt(linear**2 + square))

    def _of_samples(self, image: Image, worths: Float[Array, " n"], key: Key) -> Float[Array, "n k"]:
        """The mean over b of K_ab L_ab, both centered, whose mean over a is the criterion.

        K is (1 + s s^T) / 2 with s = 1 for a segment that is kept and -1 otherwise.
        """
        signs = 2 * self.coalitions(key, image).astype(worths.dtype) - 1
        signs = signs - signs.mean(0, keepdims=True)
        alike = doubly_centered(_alike(worths))
        return signs * jnp.einsum("ab,bk->ak", alike, signs, precision="highest") / (2 * len(signs))


def _alike(worths: Float[Array, " n"]) -> Float[Array, "n n"]:
    apart = worths[:, None] - worths[None]
    width = jnp.median(jnp.abs(worths - jnp.roll(worths, len(worths) // 2)))
    return jnp.exp(-jnp.square(apart / jnp.where(width > 0, width, 1)) / 2)
