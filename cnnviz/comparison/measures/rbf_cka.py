"""CKA with a Gaussian kernel."""

from dataclasses import dataclass

import numpy as np

from cnnviz.comparison.measures.hsic import Kernel, doubly_centered, inner, u_centered
from cnnviz.comparison.measures.measure import Features, OfPairs, centered
from cnnviz.errors import InputError


@dataclass(frozen=True)
class RBFCKA(OfPairs):
    """CKA with the kernel exp(-|x - x'|² / (2 σ²)), from 0 to 1: close images count more than distant ones.

    σ is `fraction` times the median distance between images, squared distances of all n² pairs, as in the paper's code,
    which makes the measure invariant to scale; it is also invariant to orthogonal maps and translation. The estimator
    of HSIC is biased unless `debiased`. Kornblith et al., arXiv:1905.00414, section 3 and Eq. 4.
    """

    fraction: float = 1.0
    debiased: bool = False

    def __post_init__(self) -> None:
        if not self.fraction > 0:
            raise InputError(f"fraction is a positive share of the median distance; it was {self.fraction}.")

    def prepare(self, x: Features) -> Kernel:
        """The centered kernel matrix, divided by its norm."""
        squares = squared_distances(centered(x))
        median = float(np.median(squares))
        if median == 0:
            raise InputError("More than half of all pairs of images have the same features, so σ would be 0.")
        kernel = np.exp(squares / (-2 * self.fraction**2 * median))
        kernel = (u_centered if self.debiased else doubly_centered)(kernel)
        return kernel / kernel.dtype.type(np.sqrt(inner(kernel, kernel)))


def squared_distances(x: Features) -> Kernel:
    """The squared distance of each two rows; exactly zero on the diagonal."""
    products = x @ x.T
    squares = np.diagonal(products).copy()
    found = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0)
    np.fill_diagonal(found, 0)
    return found
