"""Tables on slides: divided into pages, since one of many rows would be illegible."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cnnviz.figures.table import Row, table
from cnnviz.pictures.picture import Picture, equal_parts

MOST = 14  # rows of a slide


def by_rows(picture: Picture, header: Row, rows: Sequence[Row], *, total: bool = True, **look: Any) -> Picture:
    """The picture of this table, which is divided on a slide; with `total` the last row is one.

    `look` are further arguments of `figures.table.table`.
    """
    parts = equal_parts(rows, MOST)
    draws = [partial(table, header, part, total=total and part is parts[-1], **look) for part in parts]
    return picture.divided([replace(picture, draw=draw) for draw in draws])
