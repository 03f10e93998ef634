"""Tables on slides: divided into pages, since one of many rows would be illegible."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cnnviz.figures.table import Row, table
from cnnviz.pictures.picture import Picture

MOST = 14  # rows of a slide


def by_rows(picture: Picture, header: Row, rows: Sequence[Row], *, total: bool = True, **look: Any) -> Picture:
    """The picture of this table, which is divided on a slide; with `total` the last row is one.

    `look` are further arguments of `figures.table.table`.
    """
    size = math.ceil(len(rows) / max(1, math.ceil(len(rows) / MOST)))
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    draws = [partial(table, header, part, total=total and part is parts[-1], **look) for part in parts]
    return picture.divided([replace(picture, draw=draw) for draw in draws])
