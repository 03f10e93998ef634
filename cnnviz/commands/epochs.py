"""Training with one printed line and one checkpoint per epoch, and the test results at the end."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from cnnviz import runs
from cnnviz.atomic import atomic_write
from cnnviz.commands import console, terminal
from cnnviz.commands.background import background
from cnnviz.commands.tracked import Log, tracked
from cnnviz.errors import InputError
from cnnviz.training import processes
from cnnviz.training.evaluate import make_evaluate
from cnnviz.training.feed import Feed, feed_of
from cnnviz.training.fit import NotFinite, fit
from cnnviz.training.members import Record, best, by_seed, member
from cnnviz.training.mesh import here
from cnnviz.training.state import State


def train_on(path: Path, config: runs.Config, dataset: Any, stop: terminal.Stop, mesh: Mesh, images_on: str) -> int:
    """Trains from the run's latest checkpoint to the end, or until `stop()` returns a signal; returns the exit code.

    Raises InputError if the loss is not finite, or if the run cannot be read or written.
    """
    recipe, limit = config.recipe, config["data"]["limit"]
    images, labels, held = dataset.for_training(limit)
    members = [member(seed, len(labels), recipe, held) for seed in config.seeds]
    model = config.model
    own, records = processes.on_every_process(lambda: _begin(path) if processes.is_first() else (config.fresh(), []))
    begun, history = processes.broadcast_arrays(own), processes.broadcast(lambda: records)
    step = _furthest(begun)
    feed, trackers = feed_of(images, labels, mesh, images_on), config.get("track", []) if processes.is_first() else []
    with tracked(trackers, path, config) as tell, terminal.progress() as on_step, background() as later:
        tell(history, {})
        how = {"save_at": config.keep.snapshots, "stop": lambda: bool(stop()), "on_step": on_step}
        try:
            for states, records in fit(model, begun, feed, members, recipe, config.prepare, history=history, **how):
                step, history = _furthest(states), [*history, *records]
                if processes.is_first():
                    copies = jax.tree.map(np.array, states)  # since the next steps reuse the buffers
                    later(_keep, path, copies, tuple(history), tell if records else None)
                if records:
                    print(_line(records, recipe.epochs), flush=True)
        except NotFinite as error:
            file = _write_batches(path, error)
            raise InputError(f"{error} {file} lists the images. The last good checkpoint of {path} is kept.") from error
    if stop():
        print(f"Stopped at step {step} and saved; go on with: {_how_to_resume(path)}", file=sys.stderr)
        return 128 + stop()  # 130 for Ctrl-C, 143 for SIGTERM
    if processes.is_first():
        _conclude(path, feed_of(dataset.test.images[:limit], dataset.test.labels[:limit], here()), history)
    processes.wait_for_all("the end")
    return 0


def _begin(path: Path) -> tuple[list[State], list[Record]]:
    """The states of a run's newest intact checkpoint and its records, after cleaning up what a killed process left."""
    config = runs.load_config(path)  # checks the digests before anything is written
    if restored := runs.restore_first(path, config):
        print(f"{', '.join(restored)} of step 0 was damaged or lost; it is drawn again from config.json, bit for bit.")
    if note := runs.newest(path, config, is_resumed=True).note:
        print(note)
    states, history = runs.load_states(path)
    runs.clear_unfinished(path)
    runs.remove_unkept(path, _furthest(states), history)  # of one that was killed when it had saved its last step
    if runs.mend_metrics(path, history) and not note:
        print("metrics.jsonl differed from the latest checkpoint; it is written again.")
    return states, history


def _furthest(states: Sequence[State]) -> int:
    """The largest step of the members, since a member that stopped early has a smaller one."""
    return max(int(state.step) for state in states)


def _keep(path: Path, states: Sequence[State], history: Sequence[Record], tell: Log | None) -> None:
    """Saves the states, then logs them to the trackers, which never get more than what is saved."""
    runs.save(path, states, history)
    if tell:
        seeds = [own[0].get("seed") for own in by_seed(history)]
        tell(history, {seed: state.variables for seed, state in zip(seeds, states, strict=True)})


def measured(run: runs.Run, test: Feed) -> list[tuple[float, float]]:
    """The loss and the accuracy of each member on the test images."""
    evaluate = make_evaluate(run.model, run.prepare)
    return [evaluate(variables, test, np.arange(len(test.labels))) for variables in run.members]


def _write_batches(path: Path, error: NotFinite) -> Path:
    """Writes the indices, in the data set, of the training images in the batches whose loss was not finite."""
    file = path / "not_finite.json"
    batches = [{"step": step, "images": list(batch)} for step, batch in error.batches.items()]
    if processes.is_first():
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps(batches) + "\n")
    return file


def _conclude(path: Path, test: Feed, history: Sequence[Record]) -> None:
    """Evaluates the best checkpoints on the test images, once, and writes and prints the results."""
    bests, run = [best(own) for own in by_seed(history)], runs.load_run(path)
    if run.note:
        raise InputError(f"{run.note} Later epochs are trained again by: {_how_to_resume(path)}")
    losses, accuracies = zip(*measured(run, test), strict=True)
    rows = [
        {"best": kept, "test_loss": loss, "test_accuracy": accuracy}
        for kept, loss, accuracy in zip(bests, losses, accuracies, strict=True)
    ]
    summary = rows[0]
    if len(rows) > 1:
        summary = {"networks": rows, "test_loss": fmean(losses), "test_accuracy": fmean(accuracies)}
        summary |= {"test_loss_sd": stdev(losses), "test_accuracy_sd": stdev(accuracies)}
        for row in rows:
            print(f"seed {row['best']['seed']}: kept epoch {row['best']['epoch']}, {_tested(row)}.")
    epochs = max(record["epoch"] for record in history)
    runs.write_summary(path, summary | {"epochs": epochs})
    what = f"Kept epoch {bests[0]['epoch']}" if len(rows) == 1 else f"{len(rows)} networks"
    print(f"{what}: test accuracy {_mean(accuracies)}, test loss {_mean(losses)}. Run: {path}")


def _tested(row: dict[str, Any]) -> str:
    return f"test accuracy {row['test_accuracy']:.4f}, test loss {row['test_loss']:.4f}"


def _line(records: Sequence[Record], epochs: int) -> str:
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    numbers = [f"{name} {_mean([record[name] for record in records])}" for name in names]
    return "  ".join([f"epoch {records[0]['epoch']:2d}/{epochs}", *numbers, f"{records[0]['seconds']:.1f} s"])


def _mean(values: Sequence[float]) -> str:
    """The mean as text, with the standard deviation if there are several values."""
    return f"{fmean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _how_to_resume(path: Path) -> str:
    every = " and the same --distributed, in every process" if processes.are_several() else ""
    return f"{console.command_line('train')} --resume --runs {path.parent} --name {path.name}{every}"
