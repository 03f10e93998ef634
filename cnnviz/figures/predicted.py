"""A picture, the same picture as a network sees it, and the likeliest classes as bars."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnviz.figures.bars import draw_probabilities
from cnnviz.figures.style import default_style, page

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

    Without `original` there are only the last two.
    """
    pictures = [("the picture", original)] if original is not None else []
    pictures += [("as the network sees it", seen)]
    tall = max(np.clip(pixels.shape[0] / pixels.shape[1], FLATTEST, TALLEST) for _, pixels in pictures)
    height = max(SIDE * tall + 0.4, ROW * len(values) + 0.7)
    figure = page(SIDE * len(pictures) + BARS, height, title)
    *places, right = figure.subplots(1, len(pictures) + 1, width_ratios=[SIDE] * len(pictures) + [BARS])
    for ax, (name, pixels) in zip(places, pictures, strict=True):
        _show(ax, pixels, name)
    draw_probabilities(right, values, labels)
    return figure


def _show(ax: Axes, pixels: UInt8[np.ndarray, "h w c"], name: str) -> None:
    shown = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., 0]
    ax.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="none")
    ax.set_title(name, fontsize=9, loc="left", parse_math=False)
    ax.set_axis_off()
    ax.set_anchor("N")
    # a frame, as a white picture has no visible edge
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, fill=False, color="0.8", clip_on=False))
