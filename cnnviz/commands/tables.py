"""Rows of text as a table: as wide as a terminal, or on a pipe as wide as its columns need."""

import io
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

NUMBER = re.compile(r"[-+]?[\d,.]+(e[-+]?\d+)?%?|nan|NaN|")


def show(rows: Sequence[Mapping[str, str]]) -> None:
    """Prints the rows under the names of their columns; columns of numbers are flush right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for column in rows[0]:
        numeric = all(NUMBER.fullmatch(row[column]) for row in rows)
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row.values()))
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
