"""The weight of each class's images in the loss."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int

from cnnviz.errors import OptionError, check_known

NONE, BALANCED = "none", "balanced"


def class_weights(text: str, labels: Int[np.ndarray, " n"], classes: Sequence[str]) -> Float32[np.ndarray, " k"] | None:
    """The weight of each class as a recipe says it; None for "none".

    "balanced" gives a class n / (k m) if m of n images of the k classes that have any are its own, so that all weigh
    equally and the mean weight of an image is 1. "cat=2,dog=0.5" names classes; the others have the weight 1. Raises
    InputError for a class that is not there, and for a weight that is not a positive number.
    """
    if text == NONE:
        return None
    if text == BALANCED:
        counts = np.bincount(labels, minlength=len(classes))
        return (len(labels) / np.maximum(counts, 1) / np.count_nonzero(counts)).astype(np.float32)
    weights = np.ones(len(classes), np.float32)
    for name, weight in _pairs(text).items():
        check_known("class", name, classes)
        weights[list(classes).index(name)] = weight
    return weights


def check_class_weights(text: str, classes: Sequence[str] = ()) -> None:
    """Raises InputError for a text that no classes could fit, and for one of others than `classes` if there are any."""
    for name in () if text in (NONE, BALANCED) else _pairs(text):
        if classes:
            check_known("class", name, classes)


def _pairs(text: str) -> dict[str, float]:
    """The weights by the names of their classes; a name may hold "=" but no comma."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        if not equals or name.strip() in found or not (weight := _number(number)):
            raise OptionError(
                f"class_weights must be {NONE}, {BALANCED}, or a positive weight for each of some classes, such as "
                f"cat=2,dog=0.5; it was {text!r}."
            )
        found[name.strip()] = weight
    return found


def _number(text: str) -> float:
    """The number in a text if it is positive and finite in float32; 0 for anything else."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    limits = np.finfo(np.float32)
    return number if float(limits.tiny) <= number <= float(limits.max) else 0.0
