"""Some of many rows, evenly spaced."""

import numpy as np
from jaxtyping import Int


def evenly_spaced(total: int, most: int | None) -> Int[np.ndarray, " m"]:
    """The numbers of at most `most` of `total` rows, the first and the last among them; of all without `most`."""
    count = total if most is None else min(most, total)
    return np.linspace(0, total - 1, count).round().astype(int)
