"""Values that are NaN or infinite: they are drawn as missing and left out of scales, axes and statistics."""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."]


def finite(values: Values) -> Values:
    """The finite values, on one axis; the array itself if all are."""
    kept = np.isfinite(values)
    return values if kept.all() else values[kept]


def masked(values: Values) -> Values:
    """The values with NaN in place of infinities; the array itself if all are finite."""
    kept = np.isfinite(values)
    return values if kept.all() else np.where(kept, values, values.dtype.type(np.nan))


def moments(values: Values) -> tuple[float, float]:
    """Mean and standard deviation of the finite values, NaN if there are none.

    They are computed in the values' own type, or in float64 if that overflows.
    """
    kept = finite(values)
    if not kept.size:
        return np.nan, np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(kept.mean()), float(kept.std())
    return found if np.isfinite(found).all() else (float(kept.mean(dtype=float)), float(kept.std(dtype=float)))


def in_words(mean: float, deviation: float) -> str:
    """Mean and standard deviation as text, to four decimals, or four digits if these would not show it."""
    number = lambda value: f"{value:.4f}" if 5e-5 <= abs(value) < 1e6 or not value else f"{value:.4g}"
    return f"mean {number(mean)}, standard deviation {number(deviation)}" if np.isfinite(mean) else "no finite value"
