"""Singular vector canonical correlation analysis."""

from dataclasses import dataclass

import numpy as np

from cnnviz.comparison.measures.canonical import Span, correlations, span
from cnnviz.comparison.measures.measure import Features, Measure
from cnnviz.errors import InputError


@dataclass(frozen=True)
class SVCCA(Measure):
    """The mean canonical correlation of each representation's largest singular directions, from 0 to 1.

    `keep` below 1 keeps the fewest directions that have this share of the variance; a whole number keeps so many.
    Invariant to orthogonal maps, translation and scale, not to linear maps that change which directions are large.
    Raghu et al., "SVCCA", arXiv:1706.05806, section 2.
    """

    keep: float | int = 0.99

    def __post_init__(self) -> None:
        if not (0 < self.keep <= 1 or self.keep == int(self.keep) > 0):
            raise InputError(f"keep is a share of the variance up to 1, or a number of directions; it was {self.keep}.")

    def prepare(self, x: Features) -> Span:
        """The directions that are kept."""
        found = span(x)
        kept = self._count(found.values)
        return Span(found.directions[:, :kept], found.values[:kept], found.loadings[:kept])

    def compare(self, a: Span, b: Span) -> float:
        """The mean correlation."""
        return 1.0 if a is b else float(correlations(a, b).mean())

    def shuffled(self, prepared: Span, order: np.ndarray) -> Span:
        """The directions with their images in another order."""
        return prepared._replace(directions=prepared.directions[order])

    def _count(self, values: np.ndarray) -> int:
        if self.keep > 1 or (isinstance(self.keep, int) and not isinstance(self.keep, bool)):
            return min(int(self.keep), len(values))
        shares = np.cumsum(values**2) / np.sum(values**2)
        return min(int(np.searchsorted(shares, self.keep * (1 - 1e-12))) + 1, len(values))
