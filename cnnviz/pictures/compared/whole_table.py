"""All numbers of a comparison as one table, one row per number."""

from collections.abc import Mapping, Sequence

from cnnviz.pictures.compared.rows import Cells
from cnnviz.pictures.picture import Picture
from cnnviz.pictures.tables import Rows, columns_of

NAME = "comparison"  # of its files


def whole_table(pictures: Sequence[Picture]) -> list[Cells]:
    """What each number is of, its name and its value, of the tables of all pictures in their order.

    Columns that are texts in every row say what a number is of; texts in other columns are no numbers and left out.
    """
    return [row for picture in pictures for row in _long(picture.name, picture.table)]


def _long(part: str, rows: Rows) -> list[Cells]:
    texts = [name for name in columns_of(rows) if all(isinstance(row.get(name, ""), str) for row in rows)]
    return [
        {"part": part, "of": _said(row, texts), "number": name, "value": value}
        for row in rows
        for name, value in row.items()
        if not isinstance(value, str)
    ]


def _said(row: Mapping[str, object], texts: Sequence[str]) -> str:
    """The row's texts; what an interval is over by its name, since it could be taken for another network's."""
    cells = [(name, str(row[name])) for name in texts if row.get(name)]
    return "; ".join(text if name != "interval over" else f"{name} {text}" for name, text in cells)
