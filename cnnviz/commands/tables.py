"""Tables on the terminal: what a picture has to say in numbers."""

import io
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cnnviz.pictures.tables import columns_of, word

FRAME, BETWEEN = 1, 3  # columns of the terminal around a table, and for each column of it
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


def show(rows: Sequence[Mapping[str, object]], keys: int = 1) -> None:
    """Prints the records as a table, one column per name, numbers flush right; nothing if there are none.

    It is as wide as the terminal, elsewhere as its columns need. In a terminal that is too narrow for the longest words
    of all columns, it goes on in blocks below, each of which begins with the first `keys` columns.
    """
    if not rows:
        return
    columns = columns_of(rows)
    texts = {name: [name, *(word(row.get(name, "")) for row in rows)] for name in columns}
    width = _terminal_width()
    for block in blocks(texts, width, keys) if width else [{name: _widest(cells) for name, cells in texts.items()}]:
        _show({name: texts[name] for name in block}, block)


def blocks(texts: Mapping[str, Sequence[str]], width: int, keys: int = 1) -> list[dict[str, int]]:
    """The columns of each block of a table, and the width of each column: that of its text, or less if it is folded.

    `texts` are the cells of each column, its heading first. No word is broken where a block of the first `keys` columns
    and one other fits in `width`, nor a key's text unless the keys would take more than half.
    """
    least = {name: _widest([part for cell in cells for part in cell.split()]) for name, cells in texts.items()}
    first, others = [*texts][:keys], [*texts][keys:]
    found, room = [[*first]], width - FRAME
    for name in first:  # by which rows are told apart
        least[name] = min(_widest(texts[name]), room // 2 // keys)
    for name in others:
        if len(found[-1]) > keys and sum(least[each] + BETWEEN for each in (*found[-1], name)) > room:
            found.append([*first])
        found[-1].append(name)
    return [_fitted({name: _widest(texts[name]) for name in block}, least, room) for block in found]


def _fitted(widths: dict[str, int], least: Mapping[str, int], room: int) -> dict[str, int]:
    """The widths, of which the largest are made smaller until all fit; below `least` only if they must be."""
    for floor in (least, dict.fromkeys(widths, 1)):
        while sum(widths.values()) + BETWEEN * len(widths) > room:
            wide = [name for name in widths if widths[name] > floor[name]]
            if not wide:
                break
            widths[max(wide, key=lambda name: widths[name])] -= 1
    return widths


def _widest(cells: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, cells), default=0)


def _show(texts: Mapping[str, Sequence[str]], widths: Mapping[str, int]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for name, (_, *cells) in texts.items():
        is_number = all(map(NUMBER.fullmatch, cells))
        how = {"justify": "right" if is_number else "left", "width": max(widths[name], 1)}
        table.add_column(Text(name), overflow="fold", **how)
    for row in zip(*(cells for _, *cells in texts.values()), strict=True):
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
