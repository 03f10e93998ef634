"""Matrices of layers by layers among the numbers of pictures, so that a cell of the page leads to both layers."""

from collections.abc import Iterable, Sequence
from typing import Any

from cnnviz.pictures.picture import Picture
from cnnviz.report.payload import rounded

ROW, COLUMN, VALUE = "layer of a", "layer of b", "value"


def matrices(pictures: Iterable[Picture], names: Sequence[str]) -> list[dict[str, Any]]:
    """The matrices of pictures whose records have a layer of each of two networks, which are numbers in `names`."""
    found = []
    for picture in pictures:
        records = picture.numbers if isinstance(picture.numbers, list) else []
        own = [each for each in records if {ROW, COLUMN, VALUE, "a", "b"} <= each.keys()]
        if own and own[0]["a"] in names and own[0]["b"] in names:
            found.append(_matrix(picture, own, names))
    return found


def _matrix(picture: Picture, records: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    """The first matrix of a picture, whose further ones (by chance, of another seed) have other names."""
    first = records[0]
    alike = [each for each in records if all(each.get(key) == first.get(key) for key in ("measure", "what", "a", "b"))]
    rows, columns = (list(dict.fromkeys(str(each[key]) for each in alike)) for key in (ROW, COLUMN))
    values = {(str(each[ROW]), str(each[COLUMN])): float(each[VALUE]) for each in alike}
    table = [[values.get((row, column), 0.0) for column in columns] for row in rows]
    networks = [names.index(str(first[key])) for key in ("a", "b")]
    return {"title": picture.title, "networks": networks, "rows": rows, "columns": columns, "values": rounded(table)}
