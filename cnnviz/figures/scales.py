"""What a color stands for: one scale for all that is to be compared."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize

import matplotlib
from cnnviz.figures.style import GUTTER

Values = Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Scale:
    """The values at the two ends of a color map: diverging and centered on zero if signed, else sequential from zero."""

    low: float
    high: float

    @property
    def colormap(self) -> Colormap:
        return matplotlib.colormaps["RdBu_r" if self.low < 0 else "viridis"].with_extremes(bad=GUTTER)

    @property
    def norm(self) -> Normalize:
        return Normalize(self.low, self.high)

    def outside(self, values: Values) -> int:
        """How many of the values lie beyond the scale and are drawn in the color of its end."""
        return int(np.sum((values < self.low) | (values > self.high)))


def symmetric(limit: float) -> Scale:
    """The scale from -limit to limit."""
    return Scale(-limit, limit)


def scale_of(*arrays: Values) -> Scale:
    """The scale that holds every finite value: from zero if none is negative, else centered on zero."""
    finite = [array[np.isfinite(array)] for array in arrays]
    high = max((float(np.abs(values).max()) for values in finite if values.size), default=0.0) or 1.0
    return symmetric(high) if any((values < 0).any() for values in finite) else Scale(0.0, high)


def robust_limit(*arrays: Values, percent: float = 99.5) -> float:
    """The limit that `percent` of all magnitudes keep within, rounded up to two significant digits."""
    limit = float(np.percentile(np.abs(np.concatenate([array.ravel() for array in arrays])), percent))
    if not np.isfinite(limit) or limit <= 0:
        return 1.0
    unit = 10.0 ** (np.floor(np.log10(limit)) - 1)
    return float(np.ceil(limit / unit) * unit)


def print_scale(ax: Axes, scale: Scale, label: str, *, colormap: Colormap | None = None, extend: str = "neither") -> None:
    """Prints the scale as a color bar along the right side of the axes."""
    beside = ax.inset_axes((1.015, 0.0, 0.018, 1.0))
    mappable = ScalarMappable(scale.norm, colormap or scale.colormap)
    bar = Colorbar(beside, mappable, extend=extend, extendfrac=0.06)
    bar.set_label(label, fontsize=8)
    beside.tick_params(labelsize=8, length=2)
