"""What a color stands for: one scale for all that is to be compared."""

import math
from dataclasses import dataclass

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize

from cnnviz.figures.style import GUTTER

Values = Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Scale:
    """The values at a color map's ends: of a diverging one about zero if they are signed, else of a sequential one."""

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
    """The scale for these values: from zero if none is negative, else centered on zero.

    It holds 99.5% of those that are not zero, so that a few great ones do not leave the others in the dark, and ends at
    a number of two digits.
    """
    values = np.concatenate([array[np.isfinite(array)] for array in arrays])
    limit = _rounded_up(float(np.percentile(np.abs(values[values != 0]), 99.5))) if values.any() else 1.0
    return symmetric(limit) if (values < 0).any() else Scale(0.0, limit)


def _rounded_up(value: float) -> float:
    """The next number of two significant digits."""
    digits = 1 - math.floor(math.log10(value))
    return round(math.ceil(round(value * 10.0**digits, 6)) / 10.0**digits, digits)


def print_scale(
    ax: Axes,
    scale: Scale,
    label: str,
    *,
    colormap: Colormap | None = None,
    beyond: bool = False,
    lying: bool = False,
) -> None:
    """Fills the axes with the scale as a color bar, pointed where values lie `beyond` it.

    One that is `lying` is short: only its ends are numbered.
    """
    pointed = ("both" if scale.low < 0 else "max") if beyond else "neither"
    mappable = ScalarMappable(scale.norm, colormap or scale.colormap)
    how = "horizontal" if lying else "vertical"
    bar = Colorbar(ax, mappable, orientation=how, extend=pointed, extendfrac=0.05)
    ticks = np.linspace(scale.low, scale.high, 2 if lying else 5)  # both ends among them
    bar.set_ticks(list(ticks), labels=[f"{tick:.3g}".replace("-", "−") for tick in ticks])
    bar.set_label(label, fontsize=8)
    ax.tick_params(labelsize=8, length=2)
    if lying:  # within the bar's own width, so that two side by side do not run into each other
        first, last = ax.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
