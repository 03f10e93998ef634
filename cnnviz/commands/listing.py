"""`train.py --list`: the runs in a folder as a table, and which of them are damaged."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
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
    tables.show([*sorted(filled, key=lambda row: row[key], reverse=key in DOWN), *empty])
    return 0


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
    notes = [f"damaged: {fault.removeprefix(f'{path}/')}" for fault in faults] or ["being trained"] * is_trained
    return row | ({"note": " ".join(notes)} if notes else {})


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
