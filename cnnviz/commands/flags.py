"""Options as they are typed: those without a value, and `--no-flip` of those that may be unset, so that no overrides a
recipe or a file; and those that are given twice.
"""

from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any

from cnnviz.commands.declared import kind_of
from cnnviz.errors import InputError

LISTS = "layer methods metrics target channels parts of to track steps epsilons".split()  # with commas in one value


def without_value(options: type) -> list[str]:
    """The names of the options that take no value, as fields are named."""
    return [field.name for field in fields(options) if kind_of(field.type) is bool]


def negated(options: type, arguments: Sequence[str]) -> tuple[list[str], dict[str, bool]]:
    """The arguments without those like `--no-flip`, and the fields, of type bool | None, that they set to False.

    Raises InputError if an option is given as yes and as no.
    """
    names = {
        f"--no-{f.name.replace('_', '-')}": f.name
        for f in fields(options)
        if kind_of(f.type) is bool and f.default is None
    }
    spelled = [argument.replace("_", "-") if argument.startswith("--no") else argument for argument in arguments]
    given = {argument: names[argument] for argument in spelled if argument in names}
    for no in given:
        if (yes := no.replace("--no-", "--")) in arguments:
            raise InputError(f"{yes} and {no} do not go together: leave one of them out.")
    return [argument for argument in spelled if argument not in names], dict.fromkeys(given.values(), False)


def check_once(options: type, arguments: Sequence[str]) -> None:
    """Raises InputError, which names both values, if an option that takes one value is given two different ones."""
    single = {f.name for f in fields(options) if kind_of(f.type) not in (bool, tuple)}
    given: dict[str, str] = {}
    for argument, after in pairwise([*arguments, ""]):
        name, is_joined, value = argument.partition("=")
        if not name.startswith("--") or (field := name[2:].replace("-", "_")) not in single:
            continue
        value = value if is_joined else after
        if given.setdefault(field, value) != value:
            both = f"{typed(field, given[field])} and {typed(field, value)} are two values of one option"
            joined = f", or type {typed(field, f'{given[field]},{value}')}" if field in LISTS else ""
            raise InputError(f"{both}; leave one out{joined}.")


def typed(name: str, value: Any = True) -> str:
    """An option as it is typed, with its value unless that is yes or no: `--epochs 3`, `--flip`, `--no-flip`."""
    dashed = name.replace("_", "-")
    return f"--{'' if value else 'no-'}{dashed}" if isinstance(value, bool) else f"--{dashed} {worded(value)}"


def worded(value: Any) -> str:
    """The value of an option in an error: sides as `--resize` takes them, and none where it is not set."""
    if value is None:
        return "none"
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
