"""Encodes figures as files; the same figure gives the same bytes."""

import io
import json
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.printable import printable
from cnnviz.figures.style import add_caption, current_style, default_style
from cnnviz.figures.texts import cut_off, make_drawable, overlapping

DPI, VECTOR_DPI = 200, 600  # pixels per inch, in vector files of the maps alone
COLUMN = 3.3  # inches: figures are designed for this width and more
LARGEST = 2**16 - 1  # pixels: the longest side that can be drawn
DATES = {"png": "Creation Time", "svg": "Date", "pdf": "CreationDate"}
ABOUT = {"png": "Description", "svg": "Description", "pdf": "Subject"}  # where what a picture is of stands
FORMATS = tuple(DATES)
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "cnnviz", "pdf.fonttype": 42}


def encoded(
    figure: Figure,
    format: str,
    title: str,
    caption: str,
    dpi: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> bytes:
    """The figure with its caption below it, as the bytes of a png, svg or pdf file.

    `about` (run, seed, command, ...) becomes the file's description, as JSON. Raises InputError if the figure is
    narrower than a column and its labels do not fit, or if it has too many pixels.
    """
    file = io.BytesIO()
    dpi = dpi or (DPI if format == "png" else VECTOR_DPI)
    with default_style(), matplotlib.rc_context(SETTINGS):
        add_caption(figure, caption)
        make_drawable(figure, current_style().font)
        _check_size(figure, dpi)
        metadata = {"Title": printable(title), DATES[format]: None}
        if about:
            metadata[ABOUT[format]] = json.dumps(about)
        figure.savefig(file, format=format, dpi=dpi, metadata=metadata)
    return file.getvalue()


def _check_size(figure: Figure, dpi: int) -> None:
    width, height = map(float, figure.get_size_inches())
    if max(width, height) * dpi > LARGEST:
        raise InputError(f"A picture of {width:.3g} x {height:.3g} inches is too large for {dpi} pixels per inch.")
    if width < COLUMN and (lost := [*cut_off(figure), *(pair[0] for pair in overlapping(figure))]):
        raise InputError(f"A width of {counted(width, 'inch')} is too small for the labels ({lost[0]!r} has no room).")
