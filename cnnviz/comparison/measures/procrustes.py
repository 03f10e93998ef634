"""Procrustes similarity: how well one representation can be rotated onto another."""

from dataclasses import dataclass

import numpy as np

from cnnviz.comparison.measures.measure import Features, Measure, centered


@dataclass(frozen=True)
class Procrustes(Measure):
    """The nuclear norm of XᵀY over ‖X‖ ‖Y‖, of centered features: the cosine after the best rotation, from 0 to 1.

    Its arc cosine is the angular shape distance, a metric (Williams et al., "Generalized shape metrics on neural
    representations", arXiv:2110.14739, Eq. 5; `netrep.LinearMetric(alpha=1)`), and 2 minus twice its value the squared
    Procrustes distance of normalized features (Ding et al., "Grounding representation similarity with statistical
    testing", arXiv:2108.01661, Eq. 3). Invariant to orthogonal maps, translation and one scale.
    """

    def prepare(self, x: Features) -> np.ndarray:
        """The centered features of norm 1; those of more features than images in as many coordinates as images."""
        found = centered(x)
        if found.shape[1] > len(found):
            found = _as_wide_as_long(found)
        return found / np.sqrt(np.square(found, dtype=np.float64).sum()).astype(found.dtype)

    def compare(self, a: np.ndarray, b: np.ndarray) -> float:
        """The sum of the singular values of the products of features."""
        return 1.0 if a is b else float(np.linalg.svd((a.T @ b).astype(np.float64), compute_uv=False).sum())

    def shuffled(self, prepared: np.ndarray, order: np.ndarray) -> np.ndarray:
        """The features with their images in another order."""
        return prepared[order]


def _as_wide_as_long(x: Features) -> np.ndarray:
    """The same representation but for a rotation, `[n, n]`: the root of its kernel matrix."""
    values, vectors = np.linalg.eigh((x @ x.T).astype(np.float64))
    return (vectors * np.sqrt(np.maximum(values, 0))).astype(x.dtype)
