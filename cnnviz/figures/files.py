"""Encodes figures as files; the same figure gives the same bytes."""

import io
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from cnnviz.figures.printable import make_printable, printable
from cnnviz.figures.style import add_caption, default_style

DPI = 200
DATES = {"png": "Creation Time", "svg": "Date", "pdf": "CreationDate"}
FORMATS = tuple(DATES)
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "cnnviz", "pdf.fonttype": 42}


def encoded(figure: Figure, format: str, title: str, caption: str, dpi: int | None = None) -> bytes:
    """The figure with its caption below it, as the bytes of a png, svg or pdf file."""
    file = io.BytesIO()
    with default_style(), matplotlib.rc_context(SETTINGS):
        add_caption(figure, caption)
        make_printable(figure)
        metadata = {"Title": printable(title), DATES[format]: None}
        figure.savefig(file, format=format, dpi=dpi or DPI, metadata=metadata)
    return file.getvalue()
