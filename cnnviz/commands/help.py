"""What `--help` prints: what a command does, an example, and its options under headings with their defaults.

A class of options may have `HEADINGS`, from a heading to the names of its options with spaces between them; `EXAMPLE`,
the arguments of a typical call; `DEFAULTS`, what stands for options that are None unless they are set; `HIDDEN`, the
names of options that are refused, with a reason; and `USAGE`, what may follow the command.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, get_type_hints

from tyro.conf import Positional

from cnnviz.commands import output
from cnnviz.commands.choices import CHOICES
from cnnviz.commands.declared import kind_of, texts_of

WORDS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
FEW = 3  # names that are listed as the value of an option
WIDEST = 22  # characters of an option and its value, of which longer ones have a line of their own


def show(options: type, program: str, listed: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Prints the help page of a command to stdout, colored on a terminal.

    `listed` are things that are no options, each with a text, by heading; they stand before the options.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=output.unescaped(sys.stdout), highlight=False)  # type: ignore[arg-type]
    texts, hints = texts_of(options), get_type_hints(options, include_extras=True)
    positional = {name for name, hint in hints.items() if Positional in getattr(hint, "__metadata__", ())}
    usage = getattr(options, "USAGE", " ".join([*(f"[{name.upper()}]" for name in positional), "[options]"]))
    command = f"python {program}" if program.split()[0].endswith(".py") else program
    console.print(Text(f"usage: {command} {usage}\n\n{options.__doc__ or ''}"))
    if example := getattr(options, "EXAMPLE", ""):
        console.print(Text.assemble("\nExample: ", (f"{command} {example}", "bold")), soft_wrap=True)
    for heading, rows in (listed or {}).items():
        _print_rows(console, heading, rows)
    for heading, group in _groups(options):
        name = lambda one: one.name.upper() if one.name in positional else _invocation(one, hints[one.name], options)
        text = lambda one: " ".join([*texts.get(one.name, "").split(), *_default(one, options)])
        _print_rows(console, heading, {name(one): text(one) for one in group})


def _print_rows(console: Any, heading: str, rows: Mapping[str, str]) -> None:
    """Prints names and their texts in two columns; a wide name has a line of its own."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console.print(Text(f"\n{heading}", "bold"))
    width = min(WIDEST, max(map(len, rows)))
    for name, text in rows.items():
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=width, max_width=width, style="cyan")
        table.add_column()
        if is_wide := len(name) > WIDEST:  # than the column, which would cut it off
            console.print(Text(f"  {name}", "cyan"), soft_wrap=True)
        table.add_row("" if is_wide else Text(name), Text(text))
        console.print(Padding(table, (0, 0, 0, 2)))


def _groups(options: type) -> Iterator[tuple[str, list[Field]]]:
    """The headings with their options; those without a heading come first, as "Options"."""
    every = {one.name: one for one in fields(options) if one.name not in getattr(options, "HIDDEN", ())}
    headings = {heading: names.split() for heading, names in getattr(options, "HEADINGS", {}).items()}
    placed = {name for names in headings.values() for name in names}
    yield from _filled("Options", [one for name, one in every.items() if name not in placed])
    for heading, names in headings.items():
        yield from _filled(heading, [every[name] for name in names if name in every])


def _filled(heading: str, group: list[Field]) -> Iterator[tuple[str, list[Field]]]:
    if group:
        yield heading, group


def _invocation(option: Field, hint: Any, options: type) -> str:
    """How the option is typed: `--epochs N`, or `--debug` of a flag."""
    kind = kind_of(hint)
    name = f"--{option.name.replace('_', '-')}"
    if kind is bool:
        return name if option.default is False else f"--[no-]{name[2:]}"
    choices = {**CHOICES, **getattr(options, "CHOICES", {})}
    names = choices[option.name].names if option.name in choices else ()
    return f"{name} {'|'.join(names) if 0 < len(names) <= FEW else WORDS.get(kind, 'VALUE')}"


def _default(option: Field, options: type) -> list[str]:
    """The default value in parentheses, if there is one to show."""
    defaults: Mapping[str, Any] = getattr(options, "DEFAULTS", {})
    value = None if option.default is MISSING else option.default
    value = defaults.get(option.name) if value is None else value
    return [] if value in (None, "", ()) or value is False else [f"(default: {value})"]
