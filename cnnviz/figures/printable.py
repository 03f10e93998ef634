"""Texts of figures without characters that cannot be drawn, or that XML, and with it an SVG file, does not allow."""

import re
from collections.abc import Callable, Iterator

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

# Control characters, what changes the direction of text, halves of surrogate pairs, and noncharacters.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text with U+FFFD in place of each character that cannot be drawn."""
    return UNPRINTABLE.sub("\ufffd", text)


def make_printable(figure: Figure) -> None:
    """Replaces such characters in all texts of the figure: titles, labels, legends and the names at ticks."""
    for text in _texts(figure):
        text.set_text(printable(text.get_text()))
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        if isinstance(formatter := axis.get_major_formatter(), FuncFormatter):  # matplotlib's for ticks with names
            formatter.func = _with_printable_result(formatter.func)


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


def _with_printable_result(label: Callable[..., str]) -> Callable[..., str]:
    return lambda place, position=None: printable(label(place, position))
