"""Loss over a plane, as a map with contours, and the networks that the plane goes through."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from cnnviz.figures.finite import finite
from cnnviz.figures.style import default_style, page, points, room
from cnnviz.figures.ticks import round_locator


@default_style()
def landscape(
    x: Float[np.ndarray, " x"],
    y: Float[np.ndarray, " y"],
    loss: Float[np.ndarray, "y x"],
    networks: Mapping[str, tuple[float, float]],
    *,
    label: str = "loss (nats)",
    axes: tuple[str, str] = ("", ""),
    title: str = "",
) -> Figure:
    """The loss at the places of a grid on a logarithmic scale, dark where it is low, with the networks as points.

    Places without a finite loss are blank.
    """
    wide = min(room(5.2), 5.2)
    figure = page(wide, 0.62 * wide * float(np.ptp(y) / np.ptp(x)) + 0.6, title)
    ax = figure.subplots()
    kept = finite(loss)
    low = max(float(kept.min(initial=np.inf)), 1e-6) if kept.size else 1e-6
    high = max(float(kept.max(initial=0)), 1.01 * low)
    shown, levels = np.ma.masked_invalid(np.maximum(loss, low)), np.geomspace(low, high, 14)
    filled = ax.contourf(x, y, shown, levels=levels, norm=LogNorm(low, high), cmap="viridis")
    ax.contour(x, y, shown, levels=levels, colors="white", linewidths=points(0.4), alpha=0.6)
    ax.set_aspect("equal")
    for name, (at, height) in networks.items():
        ax.plot([at], [height], "o", color="white", markeredgecolor="black", markersize=points(5))
        box = {"boxstyle": "round,pad=0.15", "facecolor": "black", "alpha": 0.55, "linewidth": 0}
        style = {"color": "white", "fontsize": points(8), "parse_math": False, "bbox": box}
        ax.annotate(name, (at, height), (points(6), points(5)), textcoords="offset points", **style)
    bar = figure.colorbar(filled, ax=ax, fraction=0.1)
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.yaxis.set_minor_formatter("")
    bar.ax.tick_params(labelsize=points(7.5))
    bar.set_label(label, fontsize=points(8))
    for axis, text in zip((ax.xaxis, ax.yaxis), axes, strict=True):
        axis.set_major_locator(round_locator(4))
        axis.set_label_text(text, fontsize=points(8))
    ax.tick_params(labelsize=points(7.5))
    return figure
