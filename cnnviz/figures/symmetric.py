"""A value for each two of many things, as a square of colors around zero."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from cnnviz.figures.scales import Scale, scale_of, symmetric
from cnnviz.figures.style import bare, default_style, is_narrow, page, points, room

SIDE, BESIDE, BELOW = 5.6, 1.5, 0.6  # inches: the square at most, and what is beside and below it
PER_NAME = 0.16  # inches: numbers at ticks that are closer are left out


@default_style()
def matrix(
    values: Float[np.ndarray, "n n"], names: Sequence[str], *, across: str = "", label: str = "", title: str = ""
) -> Figure:
    """The values by row and column on one scale, which is printed; NaN is gray."""
    n = len(values)
    side = min(SIDE, room(SIDE + BESIDE) - BESIDE)
    figure = page(side + BESIDE, side + BELOW, title)
    ax = figure.subplots()
    scale: Scale = symmetric(scale_of(values).high)
    drawn = ax.imshow(scale.clipped(values), cmap=scale.colormap, norm=scale.norm)
    bare(ax)
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500) if s * side / n >= PER_NAME), n)
    places = range(0, n, step)
    size = points(6.5 if is_narrow() else 7)
    ax.set_xticks(places, [names[i] for i in places], fontsize=size, rotation=90)
    ax.set_yticks(places, [names[i] for i in places], fontsize=size)
    ax.set_xlabel(across, fontsize=points(8))
    ax.set_ylabel(across, fontsize=points(8))
    bar = figure.colorbar(drawn, ax=ax, shrink=0.8, pad=0.02)
    bar.set_label(label, fontsize=points(8))
    bar.ax.tick_params(labelsize=points(7))
    return figure
