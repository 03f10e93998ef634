"""Measures over the steps of a training that were kept, which are spaced evenly."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.style import BLUE, default_style, is_narrow, page, points, tidy


@default_style()
def over_steps(
    panels: Mapping[str, Float[np.ndarray, " steps"]],
    steps: Sequence[int],
    *,
    shown: int | None = None,
    title: str = "",
) -> Figure:
    """One panel per measure with its value at each step; of a film, the first `shown` steps and the last one marked.

    Scales are those of all steps, whatever is shown.
    """
    across = 1 if is_narrow() else len(panels)
    down = -(-len(panels) // across)
    figure = page(4.0 * across, 2.1 * down if down > 1 else 3.0, title)
    count = len(steps) if shown is None else shown
    for ax, (measure, values) in zip(figure.subplots(down, across, squeeze=False).flat, panels.items(), strict=True):
        tidy(ax).plot(range(count), values[:count], "-o", color=BLUE, markersize=points(4), linewidth=points(1.5))
        if shown is not None:
            ax.annotate(f"{values[count - 1]:.3g}", (count - 1, values[count - 1]), (0, points(6)),
                        textcoords="offset points", ha="center", fontsize=points(8))  # fmt: skip
        _scale(ax, values, steps)
        ax.set_ylabel(measure)
    return figure


def _scale(ax: Axes, values: Float[np.ndarray, " steps"], steps: Sequence[int]) -> None:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    pad = 0.12 * (high - low or 1.0)
    ax.set(xlim=(-0.5, len(steps) - 0.5), ylim=(low - pad, high + pad))
    every = -(-len(steps) // 9)
    places = [*range(0, len(steps), every)]
    ax.set_xticks(places, [f"{steps[i]:,}" for i in places], fontsize=points(7.5))
    ax.set_xlabel("step, spaced evenly")
