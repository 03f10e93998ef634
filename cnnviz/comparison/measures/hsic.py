"""Centered kernel matrices, whose inner products are the Hilbert-Schmidt independence criterion (HSIC)."""

import numpy as np
from jaxtyping import Float

Kernel = Float[np.ndarray, "n n"]


def doubly_centered(kernel: Kernel) -> Kernel:
    """H K H with H = I - 1/n: (n - 1)² biased HSIC(K, L) is the inner product of two of these.

    Gretton et al., "Measuring statistical dependence with Hilbert-Schmidt norms", 2005, Eq. 9.
    """
    means = kernel.mean(axis=0)
    return kernel - means[:, None] - means[None, :] + means.mean()


def u_centered(kernel: Kernel) -> Kernel:
    """The U-centered matrix: n (n - 3) unbiased HSIC(K, L) is the inner product of two of these.

    Its diagonal and the sums of its rows are zero. Székely and Rizzo, "Partial distance correlation with methods for
    dissimilarities", 2014, Eq. 2.6; equal to HSIC₁ of Song et al., "Feature selection via dependence maximization",
    2012, Eq. 5.
    """
    n = len(kernel)
    found = kernel.copy()
    np.fill_diagonal(found, 0)
    rows = found.sum(axis=0) / (n - 2)
    found += rows.sum() / (n - 1) - rows[:, None] - rows[None, :]
    np.fill_diagonal(found, 0)
    return found


def inner(k: np.ndarray, l: np.ndarray) -> float:
    """The sum of products of all values; of float32 values each row's, and float64 adds up the rows."""
    if k.dtype == l.dtype == np.float64:
        return float(np.vdot(k, l))
    return float(np.einsum("ij,ij->i", k, l).sum(dtype=np.float64))
