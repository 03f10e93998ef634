"""RANGES: where the number of an option must lie, for the commands, which ask early, and for what takes the number."""

from collections.abc import Callable, Mapping
from math import isfinite

from cnnviz.errors import OptionError

MOST_BINS, FEWEST_RESAMPLES = 1000, 100
SHARE = "a share of a value's range, above 0 and at most 1"
Number = int | float
RANGES: Mapping[str, tuple[Callable[[Number], bool], str]] = {
    "level": (lambda value: 0 < value < 1, "between 0 and 1, such as 0.95"),
    "resamples": (lambda value: value >= FEWEST_RESAMPLES, f"at least {FEWEST_RESAMPLES}"),
    "bins": (lambda value: 1 <= value <= MOST_BINS, f"from 1 to {MOST_BINS}"),
    "top": (lambda value: 0 < value <= 1, "a share of a map's values, above 0 and at most 1"),
    "among": (lambda value: value >= 4, "at least 4 images to compare on"),
    "epsilon": (lambda value: 0 < value <= 1, SHARE),
    "epsilons": (lambda value: 0 < value <= 1, SHARE),
    "perplexity": (lambda value: isfinite(value) and value >= 1, "at least 1 and below the number of images"),
}


def check_range(name: str, value: Number) -> None:
    """Raises OptionError, by the option's name, if the number is not where RANGES says."""
    fits, where = RANGES[name]
    if not fits(value):
        raise OptionError(f"{name} must be {where}; it was {value:g}.")
