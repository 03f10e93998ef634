"""A run is a directory: what was asked, where it ran, what was measured, and the checkpoints that are kept."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz import checkpoints, configs, digests, json_files, summaries
from cnnviz.checkpoints import clear_unfinished, folder_of  # noqa: F401
from cnnviz.configs import build_model, fresh
from cnnviz.digests import damages  # noqa: F401
from cnnviz.errors import InputError
from cnnviz.probe import Layer
from cnnviz.probe import layers as layers_of
from cnnviz.records import METRICS, mend_metrics
from cnnviz.summaries import read as read_summary  # noqa: F401
from cnnviz.training.members import Record, best, by_seed
from cnnviz.training.state import State
from cnnviz.types import Array, Variables
from cnnviz.whole import whole


@dataclass(frozen=True)
class Run:
    """A trained network with all that is needed to look at it; `variables` are those of the best checkpoint.

    `untrained` are its variables before the first step. `path` and `history` are None and empty for a model that was
    not trained here.
    """

    path: Path | None
    name: str
    model: Any
    members: list[Variables]  # one a seed
    untrained: Variables
    config: Mapping[str, Any]
    history: list[Record]
    classes: tuple[str, ...]
    dataset: str
    image_shape: tuple[int, int, int]

    @property
    def variables(self) -> Variables:
        return self.members[0]

    @property
    def title(self) -> str:
        """The name, with the data set that it was trained on where that is known."""
        return f"{self.name} ({self.dataset})" if self.dataset else self.name

    @cached_property
    def layers(self) -> list[Layer]:
        return layers_of(self.model, self.variables, self.image_shape)

    def prepare(self, images: Any) -> Array:
        """uint8 images as the float32 that the model takes."""
        return prepare(images)


def prepare(images: Any) -> Array:
    """Pixels from 0 to 255 as float32 from 0 to 1."""
    return jnp.asarray(images, jnp.float32) / 255


def create(path: Path, config: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
    """Makes the directory of a new run with its step 0; one that exists is an InputError, and a failure leaves none.

    Images that the model cannot take are an InputError too.
    """
    shape = tuple(config["data"]["image_shape"])
    try:
        states = fresh(config)
        if not all(map(np.size, jax.tree.leaves(states[0].params))):
            raise ValueError("its pooling leaves nothing of them")
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"The model {config['model']} cannot take images of shape {shape}: {error}.") from error
    exists = InputError(f"The run {path} exists; go on with it by --resume, or choose another --name.")
    if path.exists():
        raise exists
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as begun:  # killed before its end, it leaves no run that is half there
            begun.mkdir()
            json_files.write(begun / "environment.json", environment)
            json_files.write(begun / "config.json", config)
            _save(begun, states, [])
    except OSError as error:
        if path.exists():  # begun by another process meanwhile
            raise exists from None
        raise InputError(f"{path} cannot be written: {error.strerror or error}, so no run was made.") from error


def save(path: Path, states: Sequence[State], history: Sequence[Record]) -> None:
    """Adds a checkpoint of all networks, then drops those that the run does not keep; the records go on disk too."""
    try:
        _save(path, states, history)
    except OSError as error:
        what = f"A checkpoint cannot be written to {path}: {error.strerror or error}"
        raise InputError(f"{what}; what was saved before is whole, and --resume goes on from it.") from error


def _save(path: Path, states: Sequence[State], history: Sequence[Record]) -> None:
    digests.check_latest(path)
    config = configs.read(path)
    step = max(int(state.step) for state in states)
    facts = {"step": step, "history": list(history), "best": [best(own) for own in by_seed(history)]}
    facts["run"] = digests.of(path, checkpoints.SEALED)
    trees = {}
    for name, state in zip(configs.suffixes_of(config), states, strict=True):
        trees |= {f"model{name}": state.variables, f"training{name}": state}
    checkpoints.save(folder_of(path, step), trees, facts)
    mend_metrics(path, history)
    for other in set(steps := checkpoints.steps(path)) - configs.keep_of(config).of(steps, history):
        checkpoints.remove(folder_of(path, other))


def load_states(path: Path) -> tuple[list[State], list[Record]]:
    """The latest state of each of a run's networks and the records so far, to go on from."""
    config = load_config(path)
    folder, like = folder_of(path, checkpoints.steps(path)[-1]), configs.shapes_of(config)
    states = [checkpoints.load(folder, f"training{name}", like) for name in configs.suffixes_of(config)]
    return states, _history(path, config)


def load_run(path: str | os.PathLike) -> Run:
    """The run saved in a directory: its model and variables, no architecture asked for twice."""
    path = Path(path)
    config = load_config(path)
    history = _history(path, config)
    if _lacks_best(path, history):
        raise InputError(f"The run {path} lacks the checkpoint of its best epoch; --resume trains it again.")
    like, names, data = configs.shapes_of(config).variables, configs.suffixes_of(config), config["data"]
    at = lambda step, name: jax.tree.map(jnp.asarray, checkpoints.load(folder_of(path, step), f"model{name}", like))
    kept = [best(own)["step"] for own in by_seed(history)] or [checkpoints.steps(path)[-1]] * len(names)
    digests.check(path, map(int, kept))
    return Run(
        path,
        path.name,
        build_model(config),
        [at(step, name) for step, name in zip(kept, names, strict=True)],
        at(0, names[0]),
        config,
        history,
        tuple(data["classes"]),
        data["title"],
        tuple(data["image_shape"]),
    )


def load_config(path: Path) -> dict[str, Any]:
    """What a run was asked for.

    Raises InputError for a directory that is no run or has no checkpoint, and for a run whose config, environment or
    first or latest manifest was changed after it was written.
    """
    configs.file_of(path)
    if not (steps := checkpoints.steps(path)):
        raise InputError(f"The run {path} has no checkpoint, it stopped before the first was saved; start it again.")
    digests.check(path, [0, steps[-1]])
    config = configs.read(path)
    _history(path, config)
    return config


def _history(path: Path, config: Mapping[str, Any]) -> list[Record]:
    """The records of the latest checkpoint; raises InputError if they are of other networks than the config's."""
    folder = folder_of(path, checkpoints.steps(path)[-1])
    manifest, seeds = checkpoints.manifest(folder), config.get("seeds", 1)
    found = [own[0].get("seed") for own in by_seed(manifest["history"])]
    if len(manifest["files"]) != 2 * seeds or found not in ([], configs.networks_of(config) if seeds > 1 else [None]):
        raise InputError(f"{folder} has files or records of other networks than the {seeds} that config.json asks for.")
    return manifest["history"]


def latest(folder: str | os.PathLike) -> Path:
    """The run in `folder` that was written to last; none is an InputError."""
    runs = [metrics.parent for metrics in Path(folder).glob("[!.]*/metrics.jsonl")]
    if not runs:
        raise InputError(f"There is no run in {folder}; train one with train.py, or name one.")
    return max(runs, key=lambda run: (run / "metrics.jsonl").stat().st_mtime_ns)


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Writes what came out at the end, with the SHA-256 of the run's other files."""
    summaries.write(path, summary, digests.of(path, summaries.FILES))


def _lacks_best(path: Path, history: Sequence[Record]) -> bool:
    """Whether the checkpoint of the best epoch, or all after step 0, are gone."""
    if history:
        return not {best(own)["step"] for own in by_seed(history)} <= set(checkpoints.steps(path))
    metrics = path / METRICS
    return metrics.is_file() and metrics.stat().st_size > 0
