"""Color scales: one scale for all values that are to be compared."""

import math
from dataclasses import dataclass

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize

from cnnviz.figures.finite import finite
from cnnviz.figures.style import GUTTER

Values = Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Scale:
    """The values at the ends of a color map, which is diverging if `low` is negative, else sequential."""

    low: float
    high: float

    @property
    def colormap(self) -> Colormap:
        """RdBu_r if `low` is negative, else viridis; NaN has the color of the gutter."""
        return matplotlib.colormaps["RdBu_r" if self.low < 0 else "viridis"].with_extremes(bad=GUTTER)

    @property
    def norm(self) -> Normalize:
        """The linear map from the scale to 0..1."""
        return Normalize(self.low, self.high)

    def clipped(self, values: Values) -> Values:
        """The values with those far outside the scale moved closer: matplotlib's arithmetic with them overflows."""
        far = min(1e4 * max(self.high, -self.low), float(np.finfo(values.dtype).max))
        return np.clip(values, -far, far)

    def outside(self, values: Values) -> int:
        """The number of finite values outside the scale, which are clipped to its ends."""
        kept = finite(values)
        return int(np.sum((kept < np.float64(self.low)) | (kept > np.float64(self.high))))


def symmetric(limit: float) -> Scale:
    """The scale from `-limit` to `limit`."""
    return Scale(-limit, limit)


def scale_of(*arrays: Values) -> Scale:
    """The scale for these values: centered on zero if any is negative, else from zero.

    Its limit is the 99.5th percentile of the nonzero magnitudes, so that a few large values do not make all others
    indistinguishable, rounded up to two significant digits.
    """
    values = np.concatenate([np.ravel(finite(array)) for array in arrays])
    limit = _rounded_up(float(np.percentile(np.abs(values[values != 0]), 99.5))) if values.any() else 1.0
    return symmetric(limit) if (values < 0).any() else Scale(0.0, limit)


def _rounded_up(value: float) -> float:
    """The value rounded up to two significant digits."""
    digits = 1 - math.floor(math.log10(value))
    return round(math.ceil(round(value * 10.0**digits, 6)) / 10.0**digits, digits)


def print_scale(
    ax: Axes,
    scale: Scale,
    label: str,
    *,
    colormap: Colormap | None = None,
    clipped: bool = False,
    horizontal: bool = False,
) -> None:
    """Fills the axes with the scale as a color bar, with pointed ends if values are `clipped`.

    A horizontal bar is short, so only its ends are numbered.
    """
    pointed = ("both" if scale.low < 0 else "max") if clipped else "neither"
    mappable = ScalarMappable(scale.norm, colormap or scale.colormap)
    orientation = "horizontal" if horizontal else "vertical"
    bar = Colorbar(ax, mappable, orientation=orientation, extend=pointed, extendfrac=0.05)
    ticks = np.linspace(scale.low, scale.high, 2 if horizontal else 5)  # both ends included
    bar.set_ticks(list(ticks), labels=[f"{tick:.3g}".replace("-", "−") for tick in ticks])
    bar.set_label(label, fontsize=8)
    ax.tick_params(labelsize=8, length=2)
    if horizontal:  # the numbers stay within the bar, so that those of neighboring bars do not overlap
        first, last = ax.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
