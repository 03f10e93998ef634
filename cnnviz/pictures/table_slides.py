"""Pictures that are tables: on slides divided into pages, since one of many rows would be illegible."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cnnviz.figures.table import Row, table
from cnnviz.pictures.picture import Numbers, Picture, equal_parts

MOST = 14  # rows of a slide


def tabular(
    name: str, title: str, caption: str, numbers: Numbers, subject: Mapping[str, Any], header: Row, rows: Sequence[Row],
    *, numeric: Sequence[int] = (), total: bool = True, **more: Any,
) -> Picture:  # fmt: skip
    """The picture of the rows under the header, which is divided on a slide.

    `numeric` and `total` are those of `figures.table.table`; `more` are further fields of the picture.
    """
    draw = partial(table, header, numeric=numeric)
    picture = Picture(name, title, caption, numbers, partial(draw, rows, total=total, title=title), subject, **more)
    parts = equal_parts(rows, MOST)
    draws = [partial(draw, part, total=total and part is parts[-1]) for part in parts]
    return picture.divided([replace(picture, draw=each) for each in draws])
