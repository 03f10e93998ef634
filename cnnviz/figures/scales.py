"""Color scales: one scale for all values that are to be compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize

from cnnviz.figures.finite import finite
from cnnviz.figures.style import GUTTER, points
from cnnviz.figures.ticks import round_locator

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

    def as_rgb(self, colors: Float[np.ndarray, "*shape rgb"]) -> Float[np.ndarray, "*shape rgb"]:
        """The values with the scale mapped to 0..1, as red, green and blue; zero is gray on a scale around it.

        NaN is white.
        """
        return np.nan_to_num(np.clip((colors - self.low) / (self.high - self.low), 0, 1), nan=1.0)

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


def round_ticks(scale: Scale) -> list[float]:
    """About five round numbers on the scale."""
    ticks = round_locator(4).tick_values(scale.low, scale.high)
    return [float(tick) for tick in ticks if scale.low <= tick <= scale.high]


def in_digits(value: float) -> str:
    """A number with at most three digits, with a minus sign."""
    return f"{value:.3g}".replace("-", "−")


def scales_of(maps: Float[np.ndarray, "n *sides"], among: Float[np.ndarray, "n ..."] | None = None) -> list[Scale]:
    """A scale for each map by its own values; all are centered on zero if any map has a negative value.

    `among` are all the maps that are drawn next to each other, by default these.
    """
    is_signed = scale_of(maps if among is None else among).low < 0
    return [symmetric(scale.high) if is_signed else scale for scale in map(scale_of, maps)]


def print_scale(
    ax: Axes,
    scale: Scale,
    label: str,
    *,
    colormap: Colormap | None = None,
    clipped: bool = False,
    horizontal: bool = False,
    ends: Sequence[str] = (),
) -> None:
    """Fills the axes with the scale as a color bar, with pointed ends if values are `clipped`.

    Numbers are round ones; a horizontal bar is short, so only its ends have numbers, or the names `ends`.
    """
    pointed = ("both" if scale.low < 0 else "max") if clipped else "neither"
    mappable = ScalarMappable(scale.norm, colormap or scale.colormap)
    orientation = "horizontal" if horizontal else "vertical"
    bar = Colorbar(ax, mappable, orientation=orientation, extend=pointed, extendfrac=0.05)
    ticks = [scale.low, scale.high] if horizontal else round_ticks(scale)
    bar.set_ticks(ticks, labels=ends or [in_digits(tick) for tick in ticks])
    bar.set_label(label, fontsize=points(8))
    ax.tick_params(labelsize=points(8), length=points(2))
    if horizontal:  # the numbers stay within the bar, so that those of neighboring bars do not overlap
        first, last = ax.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")


def print_scale_of(ax: Axes, maps: Sequence[Values], scale: Scale, label: str) -> None:
    """The scale of grids of maps, each `[n h w]`, or in gray for `[n h w 3]`: red, green and blue each have it."""
    is_color = maps[0].ndim == 4
    colormap, label = (matplotlib.colormaps["gray"], f"{label} (RGB)") if is_color else (None, label)
    print_scale(ax, scale, label, colormap=colormap, clipped=any(scale.outside(each) for each in maps))
