"""Calibration: whether an answer given with a probability of 0.8 is right in 8 of 10 cases."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from cnnviz.errors.ranges import check_range

BINS = 15
Confidence = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Reliability:
    """Bins of equal width over the confidence: their edges, and each one's images, accuracy and mean confidence.

    Accuracy and confidence of an empty bin are NaN.
    """

    edges: Float[np.ndarray, " edges"]
    images: Int[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]
    confidence: Float[np.ndarray, " bins"]

    @property
    def ece(self) -> float:
        """The expected calibration error: the mean over images of |accuracy - confidence| of their bins.

        Guo et al., "On calibration of modern neural networks", 2017 (arXiv:1706.04599).
        """
        gaps = np.abs(self.accuracy - self.confidence)
        count = self.images.sum()
        return float(np.nansum(self.images * gaps) / count) if count else float("nan")

    @property
    def mce(self) -> float:
        """The greatest |accuracy - confidence| of a bin; NaN without images."""
        gaps = np.abs(self.accuracy - self.confidence)[self.images > 0]
        return float(gaps.max()) if gaps.size else float("nan")


def reliability(confidence: Confidence, right: Bool[np.ndarray, " n"], bins: int = BINS) -> Reliability:
    """The reliability diagram of answers with these confidences, from 0 to 1; those that are NaN are left out.

    Raises InputError for less than one bin.
    """
    known = np.isfinite(confidence)
    confidence, right = np.asarray(confidence, np.float64)[known], np.asarray(right)[known]
    which = bin_of(confidence, bins)
    count = np.bincount(which, minlength=bins)
    mean = lambda values: np.bincount(which, values, bins) / np.where(count, count, np.nan)
    return Reliability(np.linspace(0, 1, bins + 1), count, mean(right.astype(np.float64)), mean(confidence))


def gaps(confidence: Confidence, right: Bool[np.ndarray, " n"], bins: int = BINS) -> Float[np.ndarray, "bins n"]:
    """What each image adds to each bin's gap: the sum over bins of |mean over images| is the calibration error."""
    found = np.zeros((bins, len(confidence)))
    found[bin_of(np.nan_to_num(confidence), bins), np.arange(len(confidence))] = np.nan_to_num(confidence - right)
    return found


def bin_of(confidence: Confidence, bins: int) -> Int[np.ndarray, " n"]:
    """The bin of each confidence: (0, 1/bins], and so on; 0 is in the first one, and a bin's upper edge is its own."""
    check_range("bins", bins)
    return np.clip(np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="left") - 1, 0, bins - 1)
