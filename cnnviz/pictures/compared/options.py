"""Options that several parts of a comparison share."""

from dataclasses import dataclass

from cnnviz.comparison.calibration import BINS
from cnnviz.comparison.estimates import LEVEL, RESAMPLES


@dataclass(frozen=True)
class OfImages:
    """Which images the networks are compared on."""

    split: str = "test"
    """The split whose images are shown: train or test."""


@dataclass(frozen=True)
class OfIntervals:
    """How intervals and calibration errors are computed."""

    level: float = LEVEL
    """The level of the intervals."""
    resamples: int = RESAMPLES
    """How many times the images are drawn again for a bootstrap interval."""
    bins: int = BINS
    """The number of bins of equal width that the calibration error has."""
