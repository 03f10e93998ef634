"""One scatter plot for each pair of measures: do they order the same things alike?"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.bands import KEY, draw_key, key_columns
from cnnviz.figures.looks import look_of
from cnnviz.figures.style import default_style, fitted, is_narrow, page, points, tidy

SIDE = 2.2


@default_style()
def pairs(
    values: Mapping[str, Float[np.ndarray, " n"]],
    names: Sequence[str],
    agreement: Float[np.ndarray, "k k"],
    *,
    title: str = "",
) -> Figure:
    """A panel for each two of the k measures, one mark per name, with their rank correlation above."""
    every = list(combinations(range(len(values)), 2))
    columns = min(len(every), 2 if is_narrow() else 3)
    rows, width = -(-len(every) // columns), key_columns(names, 2 if is_narrow() else 3)
    key = KEY * -(-len(names) // width) + 0.1
    figure = page(SIDE * columns, (SIDE + 0.1) * rows + key, title)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[SIDE] * rows + [key])
    axes = [figure.add_subplot(grid[i // columns, i % columns]) for i in range(len(every))]
    for ax, (a, b) in zip(axes, every, strict=True):
        _draw(tidy(ax), list(values.items()), a, b, names, float(agreement[a, b]))
    draw_key(figure.add_subplot(grid[rows, :]), axes[0], width)
    return figure


def _draw(ax: Axes, values: Sequence[tuple[str, np.ndarray]], a: int, b: int, names: Sequence[str], rho: float) -> None:
    for i, name in enumerate(names):
        mark = {**look_of(i), "linestyle": "none"}
        ax.plot(values[a][1][i], values[b][1][i], markersize=points(5), label=name, **mark)
    word = f"ρ = {rho:+.2f}".replace("-", "−") if np.isfinite(rho) else "no ρ"
    ax.set_title(word, fontsize=points(8), loc="left")
    label = lambda text: fitted(text, SIDE - 0.5, 7)
    ax.set_xlabel(label(values[a][0]), fontsize=points(7))
    ax.set_ylabel(label(values[b][0]), fontsize=points(7))
    ax.tick_params(labelsize=points(6))
