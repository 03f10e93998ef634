"""Creating, saving, finding and loading runs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.runs import checkpoints, digests, inside, json_files, summaries
from cnnviz.runs.checkpoints import folder_of
from cnnviz.runs.config import Config, file_of
from cnnviz.runs.records import METRICS, mend_metrics
from cnnviz.training.members import Record, best, by_seed
from cnnviz.training.state import State
from cnnviz.types import Variables


class Exists(InputError):
    """The directory of a new run exists already."""


@dataclass(frozen=True)
class Run(Net):
    """A network trained by cnnviz, with its config; `variables` are those of the best checkpoint."""

    config: Mapping[str, Any] = field(default_factory=dict)


def create(path: Path, config: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
    """Creates the directory of a new run with the checkpoint of step 0, atomically.

    Raises Exists if it exists, and InputError if it cannot be written or if the model cannot take images of the data
    set's shape.
    """
    exists = Exists(f"The run {path} exists; go on with it by --resume, or choose another --name.")
    if path.exists():
        raise exists
    asked = Config(config)
    try:
        states = asked.fresh()
        if not all(map(np.size, jax.tree.leaves(states[0].params))):
            raise ValueError("its pooling leaves nothing of them")
    except (ValueError, TypeError, ZeroDivisionError) as error:
        what = f"The model {config['model']} cannot take images of shape {asked.image_shape}"
        raise InputError(f"{what}: {error}.") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as begun:
            begun.mkdir()
            json_files.write(begun / "environment.json", environment)
            json_files.write(begun / "config.json", config)
            _save(begun, states, [])
    except OSError as error:
        if path.exists():  # created by another process in the meantime
            raise exists from None
        raise InputError(f"{path} cannot be written: {error.strerror or error}, so no run was made.") from error


def save(path: Path, states: Sequence[State], history: Sequence[Record]) -> None:
    """Saves a checkpoint of all members and the records, then removes the checkpoints that the run does not keep.

    Raises InputError if the disk is full or the directory cannot be written; earlier checkpoints stay.
    """
    try:
        _save(path, states, history)
    except OSError as error:
        what = f"A checkpoint cannot be written to {path}: {error.strerror or error}"
        raise InputError(f"{what}; earlier checkpoints are intact, and --resume goes on from the latest.") from error


def _save(path: Path, states: Sequence[State], history: Sequence[Record]) -> None:
    digests.check_latest(path)
    config = Config.read(path)
    step = max(int(state.step) for state in states)
    facts = {"step": step, "history": list(history), "best": [best(own) for own in by_seed(history)]}
    facts["run"] = digests.of(path, checkpoints.SEALED)
    trees = {}
    for name, state in zip(config.suffixes, states, strict=True):
        trees |= {f"model{name}": state.variables, f"training{name}": state}
    checkpoints.save(folder_of(path, step), trees, facts)
    mend_metrics(path, history)
    for other in set(steps := checkpoints.steps(path)) - config.keep.of(steps, history):
        checkpoints.remove(folder_of(path, other))


def load_states(path: Path) -> tuple[list[State], list[Record]]:
    """The latest state of each member and the records so far; raises InputError as `load_config` does."""
    config = load_config(path)
    folder, like = folder_of(path, checkpoints.steps(path)[-1]), config.shapes()
    states = [checkpoints.load(folder, f"training{name}", like) for name in config.suffixes]
    return states, _history(path, config)


def load_run(path: str | os.PathLike, *, step: int | None = None, seed: int | None = None) -> Run:
    """The run saved in a directory, with its model and variables.

    The variables are those of each member's best epoch, or those after `step`, if the run keeps that step. With `seed`
    only the member of that seed is loaded. Raises InputError if the run does not have this step or seed, or if its
    files were changed after they were written.
    """
    path = Path(path)
    config = load_config(path)
    history, kept = _history(path, config), checkpoints.steps(path)
    if step is not None and step not in kept:
        raise InputError(f"The run {path} keeps no step {step}; it keeps {', '.join(map(str, kept))}.")
    if seed is not None and seed not in config.seeds:
        raise InputError(f"The run {path} has no seed {seed}; it has {', '.join(map(str, config.seeds))}.")
    if step is None and _lacks_best(path, history):
        raise InputError(f"The run {path} lacks the checkpoint of its best epoch; --resume trains it again.")
    bests = [int(best(own)["step"]) for own in by_seed(history)] or [kept[-1]] * len(config.seeds)
    at = bests if step is None else [step] * len(config.seeds)
    digests.check(path, at)
    run = _opened(path, config, history, at, step)
    return run if seed is None or len(config.seeds) == 1 else run.only(config.seeds.index(seed))


def _opened(path: Path, config: Config, history: list[Record], at: Sequence[int], step: int | None) -> Run:
    like = config.shapes().variables

    def load(step: int, name: str) -> Variables:
        return jax.tree.map(jnp.asarray, checkpoints.load(folder_of(path, step), f"model{name}", like))

    return Run(
        name=path.name if step is None else f"{path.name} at step {step}",
        model=config.model,
        members=[load(step, name) for step, name in zip(at, config.suffixes, strict=True)],
        beginnings=[load(0, name) for name in config.suffixes],
        image_shape=config.image_shape,
        classes=tuple(config["data"]["classes"]),
        dataset=config["data"]["title"],
        prepare=config.prepare,
        history=history,
        seeds=config.seeds,
        data=config["data"],
        path=path,
        config=config,
    )


def load_config(path: Path) -> Config:
    """The config of the run in a directory.

    Raises InputError if the directory is not a run or has no checkpoint, or if the run's config, its environment, or
    its first or latest manifest was changed after it was written.
    """
    file_of(path)
    if not (steps := checkpoints.steps(path)):
        raise InputError(f"The run {path} has no checkpoint, it stopped before the first was saved; start it again.")
    digests.check(path, [0, steps[-1]])
    config = Config.read(path)
    _history(path, config)
    return config


def _history(path: Path, config: Config) -> list[Record]:
    """The records of the latest checkpoint; raises InputError if its members are not those of the config."""
    folder = folder_of(path, checkpoints.steps(path)[-1])
    manifest, seeds = checkpoints.manifest(folder), config.seeds
    found = [own[0].get("seed") for own in by_seed(manifest["history"])]
    expected = list(seeds) if len(seeds) > 1 else [None]
    if len(manifest["files"]) != 2 * len(seeds) or found not in ([], expected):
        count = len(seeds)
        raise InputError(f"{folder} has files or records of other networks than the {count} that config.json asks for.")
    return manifest["history"]


def latest(folder: str | os.PathLike) -> Path:
    """The run in `folder` that was written to last; raises InputError if the folder has no run."""
    runs = [metrics.parent for metrics in Path(folder).glob("[!.]*/metrics.jsonl")]
    if not runs:
        raise InputError(f"{folder} has no run; train one with train.py, or name one.")
    return max(runs, key=lambda run: (run / "metrics.jsonl").stat().st_mtime_ns)


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Writes the final results to summary.json, with the SHA-256 of the run's other files."""
    summaries.write(path, summary, digests.of(path, summaries.FILES))


def _lacks_best(path: Path, history: Sequence[Record]) -> bool:
    """Whether the checkpoint of the best epoch is missing, or every checkpoint after step 0."""
    if history:
        return not {best(own)["step"] for own in by_seed(history)} <= set(checkpoints.steps(path))
    metrics = path / METRICS
    return inside.is_file(metrics) and metrics.stat().st_size > 0
