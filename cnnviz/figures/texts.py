"""All texts of a figure: made drawable in any script, and checked for being cut off, hidden or too small."""

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox

from cnnviz.figures.fonts import drawable, families

TOLERANCE = 1.0  # points by which boxes may overlap: they include space around the letters


def make_drawable(figure: Figure, font: str) -> None:
    """Gives all texts (titles, labels, legends, names at ticks) fonts that have their characters, or spells them."""
    for text in _texts(figure):
        text.set_text(drawable(text.get_text(), font))
        if not text.get_text().isascii():
            text.set_fontfamily(list(families(text.get_text(), font)))
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        if isinstance(formatter := axis.get_major_formatter(), FuncFormatter):  # matplotlib's for ticks with names
            names = "".join(str(formatter(place)) for place in axis.get_majorticklocs())
            formatter.func = _with_drawable_result(formatter.func, font)
            if not names.isascii():
                axis.set_tick_params(labelfontfamily=list(families(drawable(names, font), font)))


def _texts(figure: Figure) -> Iterator[Text]:
    """All texts but those at ticks; `findobj` would create the ticks of all axes, which takes as long as drawing."""
    yield from figure.texts
    for part in (part for ax in figure.axes for part in ax.get_children()):
        if isinstance(part, Text):
            yield part
        elif isinstance(part, Axis):
            yield part.label
        elif isinstance(part, Legend):
            yield from part.get_texts()


def _with_drawable_result(label: Callable[..., str], font: str) -> Callable[..., str]:
    return lambda place, position=None: drawable(str(label(place, position)), font)


def cut_off(figure: Figure) -> list[str]:
    """The texts that leave the figure."""
    inside = figure.bbox.padded(_tolerance(figure))
    cut = [text for text, box in _boxes(figure) if not (inside.contains(*box.min) and inside.contains(*box.max))]
    return [text.get_text() for text in cut]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """The pairs of texts that overlap; slanted names at ticks are parallel, so their distance decides."""
    found, edge = _boxes(figure), _tolerance(figure)
    low = np.array([np.add(box.min, edge) for _, box in found]).reshape(-1, 2)
    high = np.array([np.subtract(box.max, edge) for _, box in found]).reshape(-1, 2)
    both = (np.maximum(low[:, None], low[None]) < np.minimum(high[:, None], high[None])).all(-1)
    pairs = [(found[i][0], found[j][0]) for i, j in np.argwhere(np.triu(both, 1))]
    return [(one.get_text(), other.get_text()) for one, other in pairs if not _are_apart(one, other, figure.dpi)]


def covered(figure: Figure) -> list[str]:
    """The texts that an image of other axes hides or is hidden by."""
    found, edge = _boxes(figure), _tolerance(figure)
    images = [(ax, image.get_window_extent().padded(-edge)) for ax in figure.axes for image in ax.images]
    on = lambda text, box: any(text.axes is not ax and box.padded(-edge).overlaps(image) for ax, image in images)
    return [text.get_text() for text, box in found if on(text, box)]


def smallest(figure: Figure) -> float:
    """The size of the smallest text, in points."""
    return min((float(text.get_fontsize()) for text, _ in _boxes(figure)), default=float("inf"))


def _are_apart(one: Text, other: Text, dpi: float) -> bool:
    """Whether two slanted, parallel texts are at least a line apart."""
    angle = one.get_rotation()
    if angle % 90 == 0 or other.get_rotation() != angle:
        return False
    at, there = (text.get_transform().transform(text.get_unitless_position()) for text in (one, other))
    across = np.array([-np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    return abs(float((at - there) @ across)) >= float(one.get_fontsize()) * dpi / 72


def _tolerance(figure: Figure) -> float:
    return TOLERANCE * figure.dpi / 72


def _boxes(figure: Figure) -> list[tuple[Text, Bbox]]:
    """Each text that is drawn with its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, unseen = canvas.get_renderer(), set(_unseen(figure))
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text not in unseen]
    return [(t, t.get_window_extent(renderer)) for t in texts if t.get_visible() and t.get_text().strip()]


def _unseen(figure: Figure) -> Iterator[Text]:
    """The texts of axes that are switched off, and the labels of ticks outside the axes' limits."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            edge = 1e-9 * (high - low)
            off = not ax.axison or not axis.get_visible()
            yield from (axis.label, axis.offsetText) if off else ()
            for tick in axis.get_major_ticks():
                if off or not low - edge <= tick.get_loc() <= high + edge:
                    yield from (tick.label1, tick.label2)
