"""Projection weighted canonical correlation analysis."""

from dataclasses import dataclass

import numpy as np

from cnnviz.comparison.measures.canonical import Span, span
from cnnviz.comparison.measures.measure import Features, Measure


@dataclass(frozen=True)
class PWCCA(Measure):
    """Canonical correlations weighted by how much of a representation each canonical direction accounts for, 0 to 1.

    The weight of direction hᵢ is Σⱼ |<hᵢ, xⱼ>| over the features xⱼ of the representation that has fewer directions, of
    the first if both have as many, where it is not symmetric. Its sum over features makes it depend on their axes: it
    is invariant to scale and translation, and to orthogonal maps only of the representation with more directions.
    Morcos et al., "Insights on representational similarity in neural networks with canonical correlation",
    arXiv:1806.05759, section 3 (the distance there is 1 minus this). The code of google/svcca leaves out the whitening
    of hᵢ, so its weights differ.
    """

    symmetric = False
    invariant_to = ("scale", "translation")

    def prepare(self, x: Features) -> Span:
        """All directions."""
        return span(x)

    def compare(self, a: Span, b: Span) -> float:
        """The weighted mean of the correlations."""
        if a is b:
            return 1.0
        fewer, more = (a, b) if len(a.values) <= len(b.values) else (b, a)
        turn, found, _ = np.linalg.svd(fewer.directions.T @ more.directions, full_matrices=False)
        weights = np.abs(turn.T @ (fewer.values[:, None] * fewer.loadings)).sum(axis=1)
        return float(weights @ np.minimum(found, 1.0) / weights.sum())

    def shuffled(self, prepared: Span, order: np.ndarray) -> Span:
        """The directions with their images in another order."""
        return prepared._replace(directions=prepared.directions[order])
