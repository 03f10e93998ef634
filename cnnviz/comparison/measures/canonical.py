"""Canonical correlations: singular vectors of each representation, and how far their spans agree."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cnnviz.comparison.measures.measure import Features, centered, tolerance


class Span(NamedTuple):
    """Orthonormal directions `[n, r]` spanning centered features, their singular values `[r]`, their loadings `[r, p]`.

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
    directions, values, loadings = np.linalg.svd(centered(x).astype(np.float64), full_matrices=False)
    rank = int((values > tolerance(x) * values[0]).sum())
    return Span(directions[:, :rank], values[:rank], loadings[:rank])


def correlations(a: Span, b: Span) -> Float[np.ndarray, " r"]:
    """The canonical correlations, in descending order, as many as the smaller span has directions.

    They are the singular values of the products of orthonormal directions (Björck and Golub, 1973).
    """
    return np.minimum(np.linalg.svd(a.directions.T @ b.directions, compute_uv=False), 1.0)
