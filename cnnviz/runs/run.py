"""A run is a directory: what was asked, where it ran, what was measured, and the checkpoints that are kept."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.probe import Layer
from cnnviz.probe import layers as layers_of
from cnnviz.runs import checkpoints
from cnnviz.runs import config as configs
from cnnviz.runs.config import build_model
from cnnviz.training.members import Record, best, by_seed
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import State, initial_state
from cnnviz.types import Array, Variables

WITNESSED = ("config.json", "environment.json", "metrics.jsonl")


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
        with atomic_write(path) as begun:  # killed before its end, it leaves no run that is half there
            begun.mkdir()
            _write_json(begun / "environment.json", environment)
            _write_json(begun / "config.json", config)
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
    config = load_config(path, begun=False)
    step = max(int(state.step) for state in states)
    facts = {"step": step, "history": list(history), "best": [best(own) for own in by_seed(history)]}
    trees = {}
    for name, state in zip(_suffixes(config), states, strict=True):
        trees |= {f"model{name}": state.variables, f"training{name}": state}
    checkpoints.save(_folder(path, step), trees, facts)
    mend_metrics(path, history)
    for other in set(steps := _steps(path)) - configs.keep_of(config).of(steps, history):
        checkpoints.remove(_folder(path, other))


def mend_metrics(path: Path, history: Sequence[Record]) -> bool:
    """Makes metrics.jsonl the records of the latest checkpoint, one a line; whether it was anything else before."""
    file, lines = path / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in history)
    if file.is_file() and file.read_bytes() == lines.encode():
        return False
    with atomic_write(file) as temporary:
        temporary.write_text(lines)
    return True


def clear_unfinished(path: Path) -> None:
    """Removes what is left of checkpoints that were being written or removed when their process was killed."""
    for folder in (path / "checkpoints").glob(".step_*"):
        shutil.rmtree(folder, ignore_errors=True)


def load_states(path: Path) -> tuple[list[State], list[Record]]:
    """The latest state of each of a run's networks and the records so far, to go on from."""
    config = load_config(path)
    folder = _folder(path, _steps(path)[-1])
    like = _like(config)
    states = [checkpoints.load(folder, f"training{name}", like) for name in _suffixes(config)]
    return states, checkpoints.manifest(folder)["history"]


def load_run(path: str | os.PathLike) -> Run:
    """The run saved in a directory: its model and variables, no architecture asked for twice."""
    path = Path(path)
    config = load_config(path)
    history = checkpoints.manifest(_folder(path, _steps(path)[-1]))["history"]
    if _lacks_best(path, history):
        raise InputError(f"The run {path} lacks the checkpoint of its best epoch; --resume trains it again.")
    like, names, data = _like(config).variables, _suffixes(config), config["data"]
    at = lambda step, name: jax.tree.map(jnp.asarray, checkpoints.load(_folder(path, step), f"model{name}", like))
    kept = [best(own)["step"] for own in by_seed(history)] or [_steps(path)[-1]] * len(names)
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


def load_config(path: Path, *, begun: bool = True) -> dict[str, Any]:
    """What a run was asked for; a directory that is no run, or has not `begun`, is an InputError."""
    config = configs.read(path)
    if begun and not _steps(path):
        raise InputError(f"The run {path} has no checkpoint, it stopped before the first was saved; start it again.")
    return config


def latest(folder: str | os.PathLike) -> Path:
    """The run in `folder` that was written to last; none is an InputError."""
    runs = [metrics.parent for metrics in Path(folder).glob("[!.]*/metrics.jsonl")]
    if not runs:
        raise InputError(f"There is no run in {folder}; train one with train.py, or name one.")
    return max(runs, key=lambda run: (run / "metrics.jsonl").stat().st_mtime_ns)


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Writes what came out at the end, with the SHA-256 of the run's other files."""
    _write_json(path / "summary.json", {**summary, "files": {name: _sha256(path / name) for name in WITNESSED}})


def damages(path: Path) -> list[str]:
    """Every file of the run that is not what was written, with what is wrong, one sentence each."""
    found = []
    for step in _steps(path):
        found += checkpoints.damages(_folder(path, step))
    for name, digest in (read_summary(path) or {}).get("files", {}).items():
        if not (path / name).is_file():
            found.append(f"{path / name} is missing.")
        elif _sha256(path / name) != digest:
            found.append(f"{path / name} was changed after the training's end.")
    return found


def read_summary(path: Path) -> dict[str, Any] | None:
    """What came out at the end; None for a run that has not come to its end, and a damaged file is an InputError."""
    file = path / "summary.json"
    if not file.is_file():
        return None
    try:
        summary = json.loads(file.read_text())
        return {"test_loss": float(summary["test_loss"]), "test_accuracy": float(summary["test_accuracy"]), **summary}
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{file} is damaged ({type(error).__name__}: {error}).") from error


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def fresh(config: Mapping[str, Any]) -> list[State]:
    """The states of a run's networks before the first step."""
    model, recipe, shape = build_model(config), Recipe(**config["recipe"]), tuple(config["data"]["image_shape"])
    return [initial_state(model, recipe, shape, jax.random.key(seed)) for seed in configs.networks_of(config)]


def _like(config: Mapping[str, Any]) -> State:
    """The shapes and dtypes of each network's state."""
    return jax.eval_shape(lambda: fresh({**config, "seeds": 1})[0])


def _suffixes(config: Mapping[str, Any]) -> list[str]:
    """What the names of each network's files end in: nothing where there is one."""
    seeds = configs.networks_of(config)
    return [f"-seed{seed}" for seed in seeds] if len(seeds) > 1 else [""]


def _folder(path: Path, step: int) -> Path:
    return path / "checkpoints" / f"step_{step:08d}"


def _steps(path: Path) -> list[int]:
    """The steps of the checkpoints that are there, in order."""
    digits = "[0-9]" * 8
    return sorted(int(folder.name.removeprefix("step_")) for folder in (path / "checkpoints").glob(f"step_{digits}"))


def _lacks_best(path: Path, history: Sequence[Record]) -> bool:
    """Whether the checkpoint of the best epoch, or all after step 0, are gone."""
    if history:
        return not {best(own)["step"] for own in by_seed(history)} <= set(_steps(path))
    metrics = path / "metrics.jsonl"
    return metrics.is_file() and metrics.stat().st_size > 0


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_write(path) as file:
        file.write_text(json.dumps(content, indent=1) + "\n")
