"""Numbers by layer on slides: divided into pages, since more layers than a slide has room for would be illegible."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cnnviz.figures.by_layer import Series, by_layer, row_height
from cnnviz.pictures.picture import Numbers, Picture, equal_parts

HEIGHT = 4.0  # inches: all rows of a slide, with text of half the usual size


def by_layers(
    name: str, title: str, caption: str, numbers: Numbers, subject: Mapping[str, Any], layers: Sequence[str],
    panels: Mapping[str, Series], *, references: Sequence[str] = (), table: Sequence[Mapping[str, object]] = (),
) -> Picture:  # fmt: skip
    """The picture of the layers' numbers, which is divided on a slide.

    `panels` and `references` are those of `figures.by_layer.by_layer`; the others are fields of the picture.
    """
    draw = partial(by_layer, panels=panels, references=references)
    picture = Picture(name, title, caption, numbers, partial(draw, layers, title=title), subject, table=table)
    series = {each for own in panels.values() for each in own}
    parts = equal_parts(layers, max(1, int(HEIGHT / row_height(len(series)))))
    return picture.divided([replace(picture, draw=partial(draw, part)) for part in parts])
