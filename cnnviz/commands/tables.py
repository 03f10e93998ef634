"""Tables on the terminal: what a picture has to say in numbers."""

import shutil
from collections.abc import Mapping, Sequence

SIZE = 120, 24  # characters of a line, and lines, where the output is no terminal


def show(rows: Sequence[Mapping[str, object]]) -> None:
    """Prints the records as a table, one column per name, numbers flush right; nothing if there are none."""
    if not rows:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns:
        is_number = all(isinstance(row.get(name, 0), int | float) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(row.get(name, "")) for name in columns))
    width = shutil.get_terminal_size(SIZE).columns
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if isinstance(value, float) else str(value)
