"""Creating, saving, finding and loading runs."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError, no_seed, no_step, run_exists
from cnnviz.networks import Net
from cnnviz.runs import checkpoints, digests, inside, json_files, summaries
from cnnviz.runs.checkpoints import folder_of
from cnnviz.runs.config import Config, file_of
from cnnviz.runs.intact import Newest, check_members, newest, settled
from cnnviz.runs.records import METRICS, mend_metrics
from cnnviz.training.members import Record, best, by_seed
from cnnviz.training.state import State, beginning_with
from cnnviz.types import Variables


class Exists(InputError):
    """The directory of a new run exists already."""


@dataclass(frozen=True, repr=False)
class Run(Net):
    """A network trained by cnnviz, with its config; `variables` are those of the best checkpoint.

    If the latest checkpoint is damaged, `note` says so, and which one is used instead.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def create(
    path: Path,
    config: Mapping[str, Any],
    environment: Mapping[str, Any],
    begin: Callable[[Variables], Variables] = lambda drawn: drawn,
) -> None:
    """Creates the directory of a new run with the checkpoint of step 0, atomically.

    `begin` turns the drawn variables of each member into those that its training begins with.
    Raises Exists if it exists, and InputError if it cannot be written or if the model cannot take images of the data
    set's shape.
    """
    exists = Exists(run_exists(path))
    if path.exists():
        raise exists
    asked = Config(config)
    try:
        states = [beginning_with(begin(state.latest), state) for state in asked.fresh()]
        if not all(map(np.size, jax.tree.leaves(states[0].params))):
            raise ValueError("its pooling leaves nothing of them")
    except InputError:
        raise
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
    if config.is_own:
        options, source = config.get("model_options", {}), config.get("model_source")
        facts["model"] = {"class": config["model"], "options": options, "source": source}
    checkpoints.save(folder_of(path, step), config.trees(states), facts)
    mend_metrics(path, history)
    for later in [other for other in checkpoints.steps(path) if other > step]:  # which were passed over
        checkpoints.remove(folder_of(path, later))
    remove_unkept(path, step, history)


def remove_unkept(path: Path, step: int, history: Sequence[Record]) -> None:
    """Removes the checkpoints up to a step that the run does not keep after these records."""
    steps = [other for other in checkpoints.steps(path) if other <= step]
    for other in set(steps) - Config.read(path).keep.of(steps, history):
        checkpoints.remove(folder_of(path, other))


def load_states(path: Path) -> tuple[list[State], list[Record]]:
    """The state of each member at the newest intact checkpoint, and the records until then.

    Raises InputError as `load_config` and `newest` do.
    """
    config = load_config(path)
    found, like = newest(path, config, is_resumed=True), config.shapes()
    folder = folder_of(path, found.step)
    return [checkpoints.load(folder, f"training{name}", like) for name in config.suffixes], found.history


def load_run(path: str | os.PathLike, *, step: int | None = None, seed: int | None = None) -> Run:
    """The run saved in a directory, with its model and variables.

    The variables are those of each member's best epoch, or those after `step`, if the run keeps that step. With `seed`
    only the member of that seed is loaded. Checkpoints that are damaged are passed over, which the run's `note` says.
    Raises InputError if the run does not have this step or seed, or if no checkpoint of it can be used.
    """
    path = Path(path)
    config = load_config(path)
    if seed is not None and seed not in config.seeds:
        raise no_seed(f"The run {path}", seed, config.seeds)
    like = config.shapes().variables
    run = settled(path, lambda: _read(path, config, like, step), damages_of=lambda run: run.note)
    run = run if step is None else replace(run, note="")
    return run if seed is None or len(config.seeds) == 1 else run.only(config.seeds.index(seed))


def _read(path: Path, config: Config, like: Variables, step: int | None) -> Run:
    found, kept = newest(path, config, is_resumed=False), checkpoints.steps(path)
    if step is not None and step not in kept:
        raise no_step(f"The run {path}", step, kept)
    if step is None and _lacks_best(path, found):
        way = "restore it" if (path / summaries.NAME).is_file() else "--resume trains it again"
        what = f"The run {path} lacks the checkpoint of its best epoch; {way}."
        raise InputError(" ".join([*found.damages, what]))
    bests = [int(best(own)["step"]) for own in by_seed(found.history)] or [found.step] * len(config.seeds)
    at = bests if step is None else [step] * len(config.seeds)
    digests.check(path, at)
    return _opened(path, config, like, found, at, step)


def _opened(path: Path, config: Config, like: Variables, found: Newest, at: Sequence[int], step: int | None) -> Run:
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
        history=found.history,
        seeds=config.seeds,
        data=config["data"],
        path=path,
        config=config,
        note=found.note,
    )


def load_config(path: Path) -> Config:
    """The config of the run in a directory.

    Raises InputError if the directory is not a run or has no checkpoint, or if the run's config, its environment, or
    its first manifest was changed after it was written.
    """
    file_of(path)
    if not checkpoints.steps(path):
        raise InputError(f"The run {path} has no checkpoint: it stopped before the first was saved; start it again.")
    digests.check(path, [0])
    digests.check_latest(path)
    config = Config.read(path)
    check_members(folder_of(path, 0), checkpoints.manifest(folder_of(path, 0)), config)
    return config


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Writes the final results to summary.json, with the SHA-256 of the run's other files."""
    summaries.write(path, summary, digests.of(path, summaries.FILES))


def _lacks_best(path: Path, found: Newest) -> bool:
    """Whether the checkpoint of the best epoch is lost: no record is left, but the run has been trained."""
    metrics = path / METRICS
    return not found.history and (bool(found.damages) or inside.is_file(metrics) and metrics.stat().st_size > 0)
