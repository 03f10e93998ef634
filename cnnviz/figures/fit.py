"""Figures on a page of limited height, such as a slide: text becomes smaller until all of it is on the page."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from matplotlib.figure import Figure

from cnnviz.figures.style import Style, current_style, drawn_in, footer_of, size_of

SHARES = 1.0, 0.9, 0.8, 0.7, 0.6, 0.5  # of the style's scale


def fitted(draw: Callable[[], Figure], caption: str) -> tuple[Figure, Style]:
    """The figure that `draw` gives, and the style it is in: the current one, or one of a smaller scale.

    The scale is the largest at which the figure with its caption is no higher than the style's `height`. If there is
    none, it is that at which the figure is lowest.
    """
    style = current_style()
    if style.height is None:
        return draw(), style
    tried = []
    for height, figure, smaller in _smaller(draw, caption, style):
        tried.append((height, figure, smaller))
        if height <= style.height:
            return figure, smaller
    _, figure, smaller = min(tried, key=lambda one: one[0])
    return figure, smaller


def _smaller(draw: Callable[[], Figure], caption: str, style: Style) -> Iterator[tuple[float, Figure, Style]]:
    """The height in inches, the figure and its style, at each scale from the largest."""
    for share in SHARES:
        smaller = replace(style, scale=style.scale * share, caption=caption)
        with drawn_in(smaller):
            figure = draw()
            height = smaller.scale * (size_of(figure)[1] + footer_of(caption, size_of(figure)[0]))
        yield height, figure, smaller
