"""A picture, the same picture as a network sees it, and the likeliest classes as bars."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnviz.figures.bars import draw_probabilities
from cnnviz.figures.style import default_style, is_narrow, page, points, room

SIDE, BARS, ROW = 2.2, 4.6, 0.3  # inches: the width of a picture, that of the bars, the height of a bar
TALLEST, FLATTEST = 1.6, 0.2  # heights of a picture in widths


@default_style()
def predicted(
    original: UInt8[np.ndarray, "y x 3"] | None,
    seen: UInt8[np.ndarray, "h w c"],
    values: Float[np.ndarray, " n"],
    labels: Sequence[str],
    *,
    title: str = "",
) -> Figure:
    """The picture as it was, as the network sees it (0 is black), and one bar per class from the top down.

    Of two, four or more channels the first one is drawn.

    Without `original` there are only the last two.
    """
    pictures = [("the picture", original)] if original is not None else []
    pictures += [("as the network sees it", seen)]
    tall = max(np.clip(pixels.shape[0] / pixels.shape[1], FLATTEST, TALLEST) for _, pixels in pictures)
    figure, places, right = _arranged(len(pictures), float(tall), ROW * len(values) + 0.7, title)
    for ax, (name, pixels) in zip(places, pictures, strict=True):
        _show(ax, pixels, name)
    draw_probabilities(right, values, labels)
    return figure


def _arranged(count: int, tall: float, bars: float, title: str) -> tuple[Figure, list[Axes], Axes]:
    """A page with places for pictures, and one for bars: beside them, or on a narrow page below."""
    if is_narrow():
        pictures = min(SIDE, room(0) / count) * tall + 0.3
        figure = page(SIDE * count, pictures + 0.7 * bars, title)
        grid = figure.add_gridspec(2, count, height_ratios=(pictures, 0.7 * bars))
        return figure, [figure.add_subplot(grid[0, i]) for i in range(count)], figure.add_subplot(grid[1, :])
    figure = page(SIDE * count + BARS, max(SIDE * tall + 0.4, bars), title)
    *places, right = figure.subplots(1, count + 1, width_ratios=[SIDE] * count + [BARS])
    return figure, places, right


def _show(ax: Axes, pixels: UInt8[np.ndarray, "h w c"], name: str) -> None:
    shown = pixels if pixels.shape[-1] == 3 else pixels[..., 0]
    ax.imshow(shown, cmap="gray", vmin=0, vmax=255)
    ax.set_title(name, fontsize=points(8 if is_narrow() else 9), loc="left", parse_math=False)
    ax.set_axis_off()
    ax.set_anchor("N")
    # a frame, as a white picture has no visible edge
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, fill=False, color="0.8", clip_on=False))
