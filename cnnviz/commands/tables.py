"""Tables on the terminal: what a picture has to say in numbers."""

import io
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cnnviz.pictures.tables import columns_of, word

NUMBER = re.compile(r"[-+]?[\d,.]+(e[-+]?\d+)?%?|nan|NaN|")


def tables(pictures: Iterable[Any]) -> list[list[Mapping[str, object]]]:
    """The records of the pictures as tables: those of pictures whose records have the same columns are one."""
    found: list[list[Mapping[str, object]]] = []
    for rows in (list(picture.table) for picture in pictures if picture.table):
        if found and list(found[-1][0]) == list(rows[0]):
            found[-1] += rows
        else:
            found.append(rows)
    return found


def show(rows: Sequence[Mapping[str, object]]) -> None:
    """Prints the records as a table, one column per name, numbers flush right; nothing if there are none.

    It is as wide as the terminal, elsewhere as its columns need.
    """
    if not rows:
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table, columns = Table(box=SIMPLE_HEAD), columns_of(rows)
    texts = [[word(row.get(name, "")) for name in columns] for row in rows]
    for name, cells in zip(columns, zip(*texts, strict=True), strict=True):
        is_number = all(map(NUMBER.fullmatch, cells))
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for row in texts:
        table.add_row(*map(Text, row))
    encoding = sys.stdout.encoding or "utf-8"  # rich draws rules in characters that it has
    lines = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace", newline="\n")
    console = Console(file=lines, color_system=None)
    console.width = _terminal_width() or console.measure(table, options=console.options.update(width=10_000)).maximum
    console.print(table)
    lines.seek(0)
    print("\n".join(line.rstrip() for line in lines.read().splitlines()), flush=True)


def _terminal_width() -> int:
    """The width of the terminal, or 0 if what is printed goes elsewhere."""
    with suppress(ValueError):  # the stream is closed
        if sys.__stdout__ is not None and sys.__stdout__.isatty():
            return shutil.get_terminal_size().columns
    return 0
