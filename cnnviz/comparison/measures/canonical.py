"""Canonical correlations: singular vectors of each representation, and how far their spans agree."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cnnviz.comparison.measures.measure import Features, centered, tolerance

LARGE = 1e7  # multiplications


class Span(NamedTuple):
    """Orthonormal directions `[n, r]` that span centered features, their singular values `[r]`, loadings `[r, p]`.

    The features are `directions @ (values[:, None] * loadings)`; a direction below rounding is left out.
    """

    directions: Float[np.ndarray, "n r"]
    values: Float[np.ndarray, " r"]
    loadings: Float[np.ndarray, "r p"]

    @property
    def is_everything(self) -> bool:
        """Whether every centered function of the images is in the span, so that all correlations are 1."""
        return len(self.values) >= len(self.directions) - 1


def span(x: Features) -> Span:
    """The singular value decomposition of the centered features, in float64."""
    least, x = tolerance(x), centered(x).astype(np.float64)
    n, p = x.shape
    directions, values, loadings = _of_tall(x) if n > 4 * p and n * p * p > LARGE else _svd(x)
    rank = int((values > least * values[0]).sum())
    return Span(directions[:, :rank], values[:rank], loadings[:rank])


def _svd(x: Features) -> tuple[np.ndarray, ...]:
    return np.linalg.svd(x, full_matrices=False)


def _of_tall(x: Features) -> tuple[np.ndarray, ...]:
    """The decomposition by way of the covariance, which is many times as fast for many images.

    Squares lose half the digits: directions below 1e-7 of the greatest are left out, and those that are kept are made
    orthonormal once more by Cholesky's decomposition.
    """
    squares, turn = np.linalg.eigh(x.T @ x)
    kept = squares[::-1] > 1e-14 * squares[-1]
    values, turn = np.sqrt(squares[::-1][kept]), turn[:, ::-1][:, kept]
    directions = x @ (turn / values)
    directions = directions @ np.linalg.inv(np.linalg.cholesky(directions.T @ directions)).T
    return directions, values, directions.T @ x / values[:, None]


def correlations(a: Span, b: Span) -> Float[np.ndarray, " r"]:
    """The canonical correlations, in descending order, as many as the smaller span has directions.

    They are the singular values of the products of orthonormal directions (Björck and Golub, 1973).
    """
    return np.minimum(np.linalg.svd(a.directions.T @ b.directions, compute_uv=False), 1.0)
