"""`--sweep`: one run for each combination of values, and a table of their results."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from cnnviz.commands import tables
from cnnviz.commands.declared import kind_of
from cnnviz.commands.option_names import unknown_field
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted

NOT_SWEPT = set("config runs name resume sweep list sort verify prepare_data distributed timeout debug track".split())
NOT_SWEPT |= {"images_on", "devices", "export", "to", "out"}  # which change no result


def sweep(options: Any, check: Callable[[Any], None], trained: Callable[[Any], tuple[int, Path | None]]) -> int:
    """Trains a run per combination and prints the table; returns 0, 2 if one of them failed, or a signal's exit code.

    `check` and `trained` check the options of one run and train it. A run that fails is said, and the others go on.
    Raises InputError, before anything is trained, if an option or a value cannot be used.
    """
    varied = dict(_values(options, spec) for spec in options.sweep)
    if len(varied) < len(options.sweep):
        raise InputError(f"--sweep names an option twice: {', '.join(options.sweep)}; give all of its values at once.")
    combinations = [dict(zip(varied, values, strict=True)) for values in product(*varied.values())]
    asked = [_one(options, values, number) for number, values in enumerate(combinations, 1)]
    for one in asked:
        check(one)
        if one.name is not None and (one.runs / one.name).exists():
            raise InputError(f"The run {one.runs / one.name} exists; choose another --name for the sweep.")
    rows: list[dict[str, Any]] = []
    code = 0
    for number, (one, values) in enumerate(zip(asked, combinations, strict=True), 1):
        print(f"Run {number} of {len(asked)}: {_in_words(values)}.", flush=True)
        ended, row = _trained(one, trained)
        rows.append({name: str(value) for name, value in values.items()} | row)
        code = code or ended
        if ended > 2:  # a signal
            break
    tables.show(sorted(rows, key=lambda row: row["accuracy"], reverse=True), keys=len(varied))
    if left := [_in_words(values) for values in combinations[len(rows) :]]:
        print(f"Not begun: {counted(len(left), 'run')} of {len(asked)} ({'; '.join(left)}).")
    return code


def _in_words(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _one(options: Any, values: dict[str, Any], number: int) -> Any:
    """The options of one run; if the sweep has a name, the run has it too, with a number."""
    name = None if options.name is None else f"{options.name}-{number}"
    return replace(options, **values, sweep=(), name=name)


def _trained(options: Any, trained: Callable[[Any], tuple[int, Path | None]]) -> tuple[int, dict[str, Any]]:
    """The exit code of one run and its row of the table."""
    from cnnviz.commands.listing import row_of

    try:
        code, path = trained(options)
    except InputError as error:
        print(f"This run failed: {error}", file=sys.stderr)
        return 2, {"run": "failed", "accuracy": "", "epochs": ""}
    found = row_of(path) if path is not None else {}
    return code, {name: found.get(name, "") for name in ("run", "accuracy", "epochs")}


def _values(options: Any, spec: str) -> tuple[str, Sequence[Any]]:
    """The option that `name=values` names, and its values."""
    typed, equals, text = spec.partition("=")
    name = typed.strip().lstrip("-").replace("-", "_")
    kinds = {field.name: kind_of(field.type) for field in fields(options) if field.name not in NOT_SWEPT}
    if name not in kinds:
        raise unknown_field("option to sweep over", name, kinds)
    parts = [part.strip() for part in text.split(",")]
    if not equals or not all(parts):
        raise InputError(f"--sweep takes an option and its values, such as learning_rate=1e-3,3e-3; it was {spec!r}.")
    found = [value for part in parts for value in _read(name, kinds[name], part)]
    if len(set(found)) < len(found):
        raise InputError(f"--sweep {spec} has a value twice.")
    return name, found


def _read(name: str, kind: type, text: str) -> list[Any]:
    """The values that a text stands for; `0..2` are three whole numbers."""
    first, dots, last = text.partition("..")
    try:
        if kind is int and dots:
            found: list[Any] = list(range(int(first), int(last) + 1))
        elif kind is bool:
            found = [{"true": True, "false": False}[text.lower()]]
        else:
            found = [kind(text)]
    except (ValueError, KeyError) as error:
        raise InputError(f"--sweep {name} takes values of type {kind.__name__}; it was {text!r}.") from error
    if not found:
        raise InputError(f"--sweep {name}={text} has no value: the range is empty.")
    return found
