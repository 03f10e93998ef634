"""`train.py --list`: the runs in a folder as a table, and which of them are damaged."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from shlex import quote
from statistics import fmean
from typing import Any

from cnnviz.commands import tables
from cnnviz.errors import InputError, check_known
from cnnviz.interop.place import check_listed, is_run

COLUMNS = ("run", "model", "recipe", "data", "seeds", "accuracy", "epochs", "when")
DOWN = ("accuracy", "epochs", "when", "seeds")  # largest first


def list_runs(folder: Path, sort: str | None) -> int:
    """Prints a table of the runs in a folder, sorted by a column, and returns 0.

    Raises InputError if the folder has no run or the column is unknown.
    """
    check_known("column", sort or "when", COLUMNS)
    check_listed(folder)
    paths = sorted(path for path in folder.glob("[!.]*") if _is_run(path))
    if not paths:
        raise InputError(f"{folder} has no run; train one with train.py, or name the folder by --runs.")
    rows = [row_of(path) for path in paths]
    key = sort or "when"
    filled, empty = ([row for row in rows if (row[key] != "") is wanted] for wanted in (True, False))
    ordered = [*sorted(filled, key=lambda row: _place(row[key]), reverse=key in DOWN), *empty]
    tables.show([{name: row[name] for name in COLUMNS} for row in ordered])
    for row in ordered:
        if note := row.get("note"):
            print(f"{row['run']}: {note}")
    return 0


def _place(value: object) -> list[tuple[int, str]]:
    """What a value is sorted by: the numbers in its text by their size, so that toy-10 comes after toy-2."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(value))]


def _is_run(path: Path) -> bool:
    """Whether a folder is a run, or may not be entered, so that its row says so."""
    try:
        return is_run(path)
    except PermissionError:
        return True


def row_of(path: Path) -> dict[str, Any]:
    """What the table says of a run, with a note if it is damaged or being trained."""
    from cnnviz import runs
    from cnnviz.runs.lock import is_locked

    row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {"run": path.name}
    try:
        row["when"], is_trained = _written(path), is_locked(path)
    except OSError as error:
        return row | {"note": f"{path} cannot be read: {error.strerror}"}
    faults = [] if is_trained else _faults(path)
    try:
        config = runs.load_config(path)
        row |= {"model": config["model"].rpartition(":")[2], "recipe": config.recipe.described()}
        row |= {"data": config["data"]["title"], "seeds": _span(config.seeds)}
        row |= _results(path, runs.read_summary(path), runs.newest(path, config, is_resumed=False).history)
    except (InputError, OSError) as error:
        faults = faults or [str(error)]
    notes = [f"damaged: {_first(path, faults)}"] if faults else ["being trained"] * is_trained
    return row | ({"note": " ".join(notes)} if notes else {})


def _first(path: Path, faults: Sequence[str]) -> str:
    """The first fault of a run, and where all of them are listed if there are more."""
    more = f" {len(faults) - 1} more: --verify {quote(str(path))} names all." if len(faults) > 1 else ""
    return faults[0].removeprefix(f"{path}/") + more


def _faults(path: Path) -> list[str]:
    from cnnviz import runs

    try:
        return runs.damages(path)
    except InputError as error:
        return [str(error)]
    except OSError as error:
        return [f"{error.filename} cannot be read: {error.strerror}"]


def _results(path: Path, summary: Mapping[str, Any] | None, history: list[dict[str, Any]]) -> dict[str, Any]:
    """The accuracy on the test images, or on validation images while the training has not ended, and the epochs."""
    from cnnviz.training.members import best, by_seed

    if summary is not None:
        return {"accuracy": f"{summary['test_accuracy']:.4f}", "epochs": summary.get("epochs", "")}
    if not history:
        return {"accuracy": "", "epochs": 0}
    accuracies = [best(own).get("val_accuracy", 0.0) for own in by_seed(history)]
    return {"accuracy": f"{fmean(accuracies):.4f} (val)", "epochs": max(record["epoch"] for record in history)}


def _span(seeds: tuple[int, ...]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


def _written(path: Path) -> str:
    """When the run was last written to, in local time."""
    files = [file for name in ("metrics.jsonl", "config.json") if (file := path / name).is_file()]
    return datetime.fromtimestamp(max(file.stat().st_mtime for file in files)).strftime("%Y-%m-%d %H:%M:%S")
