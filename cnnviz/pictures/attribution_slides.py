"""Attribution maps on slides: divided into pages, since more maps than a slide has room for would be illegible."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Shaped

from cnnviz.figures.attributions import Column, attributions
from cnnviz.pictures.picture import Picture, equal_parts

CELLS, COLUMNS = 32, 8  # the most of a slide: images and maps, and columns of maps


def by_cells(
    picture: Picture,
    pixels: Shaped[np.ndarray, "n *sides c"],
    rows: Sequence[str],
    columns: Mapping[str, Column],
    **look: Any,
) -> Picture:
    """The picture of these maps, which is divided on a slide; `look` are further arguments of `attributions`."""
    slides = []
    for names in equal_parts(list(columns), COLUMNS):
        for places in equal_parts(range(len(rows)), max(1, CELLS // (len(names) + 1))):
            part = slice(places[0], places[-1] + 1)
            own = {name: columns[name].of(part) for name in names}
            slides.append(replace(picture, draw=partial(attributions, pixels[part], rows[part], own, **look)))
    return picture.divided(slides)
