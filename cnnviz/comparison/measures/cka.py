"""Linear centered kernel alignment, with the biased and the unbiased estimator of HSIC."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.comparison.measures.hsic import Kernel, doubly_centered, inner, u_centered
from cnnviz.comparison.measures.measure import LEAST, Features, Measure, centered
from cnnviz.errors import InputError


class Linear:
    """Centered features; their kernel matrix is made only where that is cheaper than the features' products."""

    def __init__(self, x: Features):
        self.x = x

    @cached_property
    def kernel(self) -> Kernel:
        """The inner products of images, `[n, n]`."""
        return self.x @ self.x.T

    @cached_property
    def u_kernel(self) -> Kernel:
        """The same, U-centered."""
        return u_centered(self.kernel)

    @cached_property
    def squares(self) -> np.ndarray:
        """Each image's squared norm, the diagonal of the kernel matrix."""
        return np.einsum("ip,ip->i", self.x, self.x, dtype=np.float64)

    @cached_property
    def norm(self) -> float:
        """The norm of the centered kernel matrix."""
        return float(np.sqrt(product(self, self)))

    @cached_property
    def debiased_norm(self) -> float:
        """The norm of the U-centered kernel matrix."""
        return float(np.sqrt(debiased_product(self, self)))


def product(a: Linear, b: Linear) -> float:
    """The inner product of two centered kernel matrices, which is the squared norm of XᵀY."""
    return inner(a.kernel, b.kernel) if _is_wide(a, b) else squared_norm(a.x.T @ b.x)


def debiased_product(a: Linear, b: Linear) -> float:
    """The inner product of two U-centered kernel matrices.

    Of centered features it is ‖XᵀY‖² - n/(n-2) Σ|xᵢ|²|yᵢ|² + Σ|xᵢ|² Σ|yᵢ|² / ((n-1)(n-2)), without those matrices.
    """
    if _is_wide(a, b):
        return inner(a.u_kernel, b.u_kernel)
    n, sx, sy = len(a.x), a.squares, b.squares
    return squared_norm(a.x.T @ b.x) - n / (n - 2) * float(sx @ sy) + sx.sum() * sy.sum() / ((n - 1) * (n - 2))


def squared_norm(values: np.ndarray) -> float:
    """The sum of squares, added up in float64."""
    return inner(values, values)


class Minibatches:
    """The kernel matrices of minibatches of images, each centered by itself; `center` is one of `hsic`.

    No centered copy of the features is made: that of one minibatch fits into the processor's cache.
    """

    def __init__(self, x: Features, most: int, center: Callable[[Kernel], Kernel]):
        self.x, self.most, self.center = x, most, center

    @cached_property
    def kernels(self) -> list[Kernel]:
        """One per minibatch; their sizes differ by one image at most."""
        scale = max(self.x.max(), -self.x.min())  # of all images, so that squares stay finite
        parts = np.array_split(self.x, -(-len(self.x) // self.most))
        return [self.center(part @ part.T) for part in (shifted(part, scale) for part in parts)]

    @cached_property
    def norm(self) -> float:
        """The root of the product with itself."""
        return float(np.sqrt(self.product(self)))

    def product(self, other: "Minibatches") -> float:
        """The mean over minibatches of HSIC, up to a factor that is the same for all, by the estimator of `center`."""
        least = lambda n: (n - 1) ** 2 if self.center is doubly_centered else n * (n - 3)
        pairs = zip(self.kernels, other.kernels, strict=True)
        return sum(len(k) / least(len(k)) * inner(k, l) for k, l in pairs)


def shifted(x: Features, scale: float) -> Features:
    """The features minus the first image's, over twice this scale: large means would leave few digits for the rest."""
    found = x - x[:1]
    found *= found.dtype.type(0.5 / scale)
    return found


@dataclass(frozen=True)
class LinearCKA(Measure):
    """Linear CKA, the biased estimator: ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖) of centered features, from 0 to 1.

    Invariant to orthogonal maps, translation and one scale for all features, not to other linear maps. With more
    features than images it is large for unrelated representations: compare it with shuffled images, or take
    `debiased_cka`. With `minibatch`, HSIC is averaged over minibatches of at most so many images, in their order.
    Kornblith et al., "Similarity of neural network representations revisited", arXiv:1905.00414, Eq. 5.
    """

    minibatch: int | None = None

    def __post_init__(self) -> None:
        if self.minibatch is not None and self.minibatch < LEAST:
            raise InputError(f"A minibatch needs at least {LEAST} images for CKA; it had {self.minibatch}.")

    def prepare(self, x: Features) -> Any:
        """The centered features."""
        return self._minibatches(x, doubly_centered) if self.minibatch else Linear(centered(x))

    def compare(self, a: Any, b: Any) -> float:
        """CKA of two layers."""
        if a is b:
            return 1.0
        return (a.product(b) if self.minibatch else product(a, b)) / (a.norm * b.norm)

    def shuffled(self, prepared: Any, order: np.ndarray) -> Any:
        """The same features with their images in another order."""
        if self.minibatch:
            return Minibatches(prepared.x[order], prepared.most, prepared.center)
        return Linear(prepared.x[order])

    def _minibatches(self, x: Features, center: Callable[[Kernel], Kernel]) -> Minibatches:
        most = self.minibatch or len(x)
        if (least := len(x) // -(-len(x) // most)) < LEAST:
            raise InputError(
                f"Minibatches of {most} leave {least} of {len(x)} images for some, and CKA needs at least {LEAST}."
            )
        return Minibatches(x, most, center)


@dataclass(frozen=True)
class DebiasedCKA(LinearCKA):
    """Linear CKA from the unbiased estimator of HSIC; negative values, which chance can give, are reported as they are.

    Its numerator and the squares of its denominator are unbiased, so they can be averaged over minibatches (with
    `minibatch`), and no size of those changes what is estimated. Invariant to orthogonal maps, translation and one
    scale. Song et al., 2012, Eq. 5; Nguyen et al., "Do wide and deep networks
    learn the same things?", arXiv:2010.15327, Eq. 3.
    """

    def prepare(self, x: Features) -> Any:
        """The centered features."""
        return self._minibatches(x, u_centered) if self.minibatch else Linear(centered(x))

    def compare(self, a: Any, b: Any) -> float:
        """Debiased CKA of two layers."""
        if a is b or self.minibatch:
            return super().compare(a, b)
        return debiased_product(a, b) / (a.debiased_norm * b.debiased_norm)


def _is_wide(a: Linear, b: Linear) -> bool:
    """Whether kernel matrices cost less than products of features; they are made once for each layer."""
    n, p, q = len(a.x), a.x.shape[1], b.x.shape[1]
    return n * (p + q) < p * q
