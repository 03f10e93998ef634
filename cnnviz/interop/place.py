"""Where a network is, as it is typed: a run, one of its steps or seeds, or a file; found out without JAX."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError, no_seed, no_step

PART = re.compile(r"(?P<path>.*?)(:step_(?P<step>\d+))?(@(?P<seed>-?\d+))?", re.DOTALL)


@dataclass(frozen=True)
class Where:
    """A path with a step and a seed of the run there; None means the best epoch and all seeds."""

    path: Path
    step: int | None = None
    seed: int | None = None

    @classmethod
    def read(cls, where: str | PathLike[str]) -> "Where":
        """Parses a location; if the text is an existing path, it is not split."""
        if Path(where).exists() or not (found := PART.fullmatch(fspath(where))):
            return cls(Path(where))
        number = lambda name: None if found[name] is None else int(found[name])
        return cls(Path(found["path"]), number("step"), number("seed"))


def is_run(path: Path) -> bool:
    """Whether a run is at the path; raises PermissionError if the folder may not be entered."""
    return (path / "config.json").is_file()


@dataclass(frozen=True)
class Facts:
    """What a run's folder says without its arrays; `classes` are empty if its config.json does not say them."""

    path: Path
    seeds: Sequence[int]
    steps: Sequence[int]
    classes: Sequence[str]

    @classmethod
    def of(cls, path: Path) -> "Facts | None":
        """The facts of the run at a path; None if there is none, or if it is damaged, which opening it explains."""
        checkpoints = path / "checkpoints"
        if (config := config_in(path)) is None or checkpoints.is_symlink():
            return None
        try:
            first, count = config["recipe"].get("seed", 0), config.get("seeds", 1)
            classes = [str(name) for name in config["data"]["classes"]]
            found = (folder.name.removeprefix("step_") for folder in checkpoints.glob("step_*"))
            steps = sorted(int(name) for name in found if name.isdecimal())
            return cls(path, range(first, first + count), steps, classes) if steps else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def check(self, step: int | None, seed: int | None) -> None:
        """Raises InputError if the run does not have this step or seed."""
        if seed is not None and seed not in self.seeds:
            raise no_seed(f"The run {self.path}", seed, self.seeds)
        if step is not None and step not in self.steps:
            raise no_step(f"The run {self.path}", step, self.steps)


def config_in(path: Path) -> Any:
    """What a run's config.json holds, not checked; None if it is not there, not JSON, or a link or a pipe."""
    file = path / "config.json"
    try:
        return None if file.is_symlink() or not file.is_file() else json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def check_place(where: str | PathLike[str]) -> Facts | None:
    """`Facts.of` the path; raises InputError if `where` names a step or a seed that the run there does not have."""
    place = Where.read(where)
    if (facts := Facts.of(place.path)) is not None:
        facts.check(place.step, place.seed)
    return facts


def check_listed(folder: Path) -> None:
    """Raises OSError if what is in a folder may not be listed, which `glob` passes over as if it were empty."""
    if folder.is_dir():
        os.scandir(folder).close()


def latest(folder: str | os.PathLike) -> Path:
    """The run in `folder` that was written to last; raises InputError if the folder has no run."""
    check_listed(Path(folder))
    runs = [metrics.parent for metrics in Path(folder).glob("[!.]*/metrics.jsonl")]
    if not runs:
        raise InputError(f"{folder} has no run; train one with train.py, or name one.")
    return max(runs, key=lambda run: (run / "metrics.jsonl").stat().st_mtime_ns)
