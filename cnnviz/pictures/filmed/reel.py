"""What films have in common: a picture that is their strip, and their frames."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cnnviz.networks import Net
from cnnviz.pictures.animated import Film
from cnnviz.pictures.picture import Numbers, Picture
from cnnviz.pictures.steps import Steps

Draw = Callable[[Sequence[int], str], Figure]  # of the places of steps, and how a frame's name begins


def reel(
    asked: Any,
    net: Net,
    steps: Steps,
    name: str,
    title: str,
    caption: str,
    numbers: Numbers,
    draw: Draw,
    *,
    subject: Mapping[str, Any] | None = None,
    axes: Mapping[str, Sequence[str]] | None = None,
    table: Sequence[Mapping[str, object]] = (),
    is_chart: bool = False,
) -> Picture:
    """The picture whose figure is the strip of at most `asked.columns` steps, and whose film has all of them.

    A chart has all steps in its figure, too.
    """
    strip = steps.chosen(len(steps.steps) if is_chart else asked.columns)
    frames = {f"step_{step:08}": _frame(draw, place) for place, step in enumerate(steps.steps)}
    said = steps.said if len(strip) == len(steps.steps) else f"{steps.said} Drawn are {len(strip)} of them."
    return Picture(
        f"film_{name}",
        title,
        f"{caption}{said}",
        numbers,
        lambda: draw(strip, ""),
        {"network": net.name, **(subject or {})},
        dict(axes or {}),
        table,
        film=Film(frames, asked.film),
    )


def framed(steps: Steps, places: Sequence[int], arrays: np.ndarray, begun: str) -> dict[str, np.ndarray]:
    """The arrays `[steps, ...]` of some steps, by the name of their frame: its step, with the word at the first."""
    first = places[0]
    return {f"{begun or 'step ' * (place == first)}{steps.names[place]}": arrays[place] for place in places}


def _frame(draw: Draw, place: int) -> Callable[[], Figure]:
    return lambda: draw([place], "step ")
