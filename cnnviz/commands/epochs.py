"""Training with one printed line and one checkpoint per epoch, and the test results at the end."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from cnnviz import runs
from cnnviz.atomic import atomic_write
from cnnviz.commands import terminal
from cnnviz.commands.announced import announce, compiling, how_to_resume, say_next
from cnnviz.commands.background import background
from cnnviz.commands.paced import paced
from cnnviz.commands.tracked import Log, tracked
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.networks.measures import ByClass
from cnnviz.training import processes
from cnnviz.training.class_weights import class_weights
from cnnviz.training.feed import Feed, feed_of
from cnnviz.training.fit import fit
from cnnviz.training.members import Record, best, by_seed, member
from cnnviz.training.mesh import here
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import State
from cnnviz.training.tally import TOP, Tally, make_tally
from cnnviz.training.watch import Diverged, NotFinite


def train_on(path: Path, config: runs.Config, dataset: Any, stop: terminal.Stop, mesh: Mesh, images_on: str) -> int:
    """Trains from the run's latest checkpoint to the end, or until `stop()` returns a signal; returns the exit code.

    Raises InputError if the loss is not finite, or if the run cannot be read or written.
    """
    model, recipe, limit = config.model, config.recipe, config["data"]["limit"]
    images, labels, held = dataset.for_training(limit)
    members = [member(seed, len(labels), recipe, held) for seed in config.seeds]
    own, records = processes.on_every_process(lambda: _begin(path) if processes.is_first() else (config.fresh(), []))
    begun, history = processes.broadcast_arrays(own), processes.broadcast(lambda: records)
    step = _furthest(begun)
    feed = feed_of(images, labels, mesh, images_on)
    trackers = config.get("track", []) if processes.is_first() else []
    announce(path, config, dataset, members, mesh, feed)
    with tracked(trackers, path, config) as tell, terminal.progress() as report, background() as later:
        tell(history, {})
        how = {"save_at": config.keep.snapshots, "begun": config.begun, "stop": lambda: bool(stop())}
        how["class_weights"] = class_weights(recipe.class_weights, dataset.train.labels[:limit], dataset.classes)
        how["on_step"] = paced(report, recipe.epochs, compiling(config, len(members[0].training)))
        try:
            for states, records in fit(model, begun, feed, members, recipe, config.prepare, history=history, **how):
                step, history = _furthest(states), [*history, *records]
                if processes.is_first():
                    copies = jax.tree.map(np.array, states)  # since the next steps reuse the buffers
                    later(_keep, path, copies, tuple(history), tell if records else None)
                if records:
                    print(_line(records, recipe.epochs), flush=True)
        except (NotFinite, Diverged) as error:
            lists = f", and {_write_batches(path, error)} lists the images" if isinstance(error, NotFinite) else ""
            what = str(error).removesuffix(".")
            raise InputError(f"{what}; {path} keeps its last good checkpoint{lists}.") from error
    if signal := stop():
        _say_stopped(step, path, config)
        return 128 + signal  # 130 for Ctrl-C, 143 for SIGTERM
    if processes.is_first():
        _conclude(path, feed_of(dataset.test.images[:limit], dataset.test.labels[:limit], here()), history)
        say_next(path, config)
    processes.wait_for_all("the end")
    return 0


def _begin(path: Path) -> tuple[list[State], list[Record]]:
    """The states of a run's newest intact checkpoint and its records, after cleaning up what a killed process left."""
    config = runs.load_config(path)  # checks the digests before anything is written
    if restored := runs.restore_first(path, config):
        were, they = ("was", "it is") if len(restored) == 1 else ("were", "they are")
        what = f"{' and '.join(restored)} of step 0 {were} damaged or lost"
        print(f"{what}; {they} drawn again from config.json, bit for bit.")
    if note := runs.newest(path, config, is_resumed=True).note:
        print(note)
    states, history = runs.load_states(path)
    runs.clear_unfinished(path)
    runs.remove_unkept(path, _furthest(states), history)  # of one that was killed when it had saved its last step
    if runs.mend_metrics(path, history) and not note:
        print("metrics.jsonl differed from the latest checkpoint; it is written again.")
    return states, history


def _ended_early(history: Sequence[Record], recipe: Recipe) -> str:
    """Why a training ended before its last epoch; empty if it did not."""
    last = max(record["epoch"] for record in history)
    if last >= recipe.epochs:
        return ""
    what = f"{counted(recipe.patience, 'epoch')} (--patience) without a smaller validation loss"
    return f"Ended after epoch {last} of {recipe.epochs}: {what}."


def _furthest(states: Sequence[State]) -> int:
    """The largest step of the members, since a member that stopped early has a smaller one."""
    return max(int(state.step) for state in states)


def _keep(path: Path, states: Sequence[State], history: Sequence[Record], tell: Log | None) -> None:
    """Saves the states, then logs them to the trackers, which never get more than what is saved."""
    runs.save(path, states, history)
    if tell:
        seeds = [own[0].get("seed") for own in by_seed(history)]
        tell(history, {seed: state.variables for seed, state in zip(seeds, states, strict=True)})


def measured(run: runs.Run, test: Feed) -> list[Tally]:
    """What each member gets right of the test images."""
    tally = make_tally(run.model, run.prepare, len(run.classes))
    return [tally(variables, test) for variables in run.members]


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
        again = _how_to_resume(path, runs.Config(run.config))
        raise InputError(f"{run.note} Later epochs are trained again by: {again}")
    if early := _ended_early(history, runs.Config(run.config).recipe):
        print(early)
    tallies = measured(run, test)
    rows = [{"best": kept, **_results(tally, run.classes)} for kept, tally in zip(bests, tallies, strict=True)]
    losses, accuracies = ([row[name] for row in rows] for name in ("test_loss", "test_accuracy"))
    summary = rows[0]
    if len(rows) > 1:
        means = {name: fmean(row[name] for row in rows) for name, value in rows[0].items() if isinstance(value, float)}
        summary = {"networks": rows, **means}
        summary["test_class_accuracy"] = _means_by_class([row["test_class_accuracy"] for row in rows])
        summary |= {"test_loss_sd": stdev(losses), "test_accuracy_sd": stdev(accuracies)}
        for row in rows:
            print(f"seed {row['best']['seed']}: kept epoch {row['best']['epoch']}, {_tested(row)}.")
    epochs = max(record["epoch"] for record in history)
    runs.write_summary(path, summary | {"epochs": epochs})
    what = f"Kept epoch {bests[0]['epoch']}" if len(rows) == 1 else f"{len(rows)} networks"
    print(f"{what}: test accuracy {_mean(accuracies)}, test loss {_mean(losses)}. Run: {path}")
    print(_further(summary, summary["test_class_accuracy"]))


def _results(tally: Tally, classes: Sequence[str]) -> dict[str, Any]:
    """What the summary says of one network's test images."""
    (loss, accuracy), by_class = tally.means(), ByClass.of_confusion(np.asarray(tally.confusion))
    found: dict[str, Any] = {"test_loss": loss, "test_accuracy": accuracy, "test_macro_f1": by_class.macro_f1}
    if len(classes) > TOP:
        found["test_top5_accuracy"] = tally.top_accuracy
    known = [None if np.isnan(share) else share for share in by_class.recall.tolist()]
    return found | {"test_class_accuracy": dict(zip(classes, known, strict=True))}


def _means_by_class(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The mean of several networks for each class; None for a class without test images."""
    columns = {name: [value for row in rows if (value := row[name]) is not None] for name in rows[0]}
    return {name: fmean(values) if values else None for name, values in columns.items()}


def _further(summary: dict[str, Any], by_class: Mapping[str, float | None]) -> str:
    """The other measures in one line: macro F1, top-5 accuracy, and the class that is recognized least."""
    least, worst = min((value, name) for name, value in by_class.items() if value is not None)
    top = f", top-5 accuracy {summary['test_top5_accuracy']:.4f}" if "test_top5_accuracy" in summary else ""
    return f"Macro F1 {summary['test_macro_f1']:.4f}{top}; least recognized is {worst}, {least:.4f}."


def _tested(row: dict[str, Any]) -> str:
    return f"test accuracy {row['test_accuracy']:.4f}, test loss {row['test_loss']:.4f}"


def _line(records: Sequence[Record], epochs: int) -> str:
    """One epoch in at most 80 columns; of several networks the means, with deviations on the validation images."""
    value = lambda name: [record[name] for record in records]
    parts = [f"epoch {records[0]['epoch']:2d}/{epochs}", f"loss {_six(fmean(value('train_loss')))}"]
    if len(records) == 1:
        parts.append(f"accuracy {fmean(value('train_accuracy')):.3f}")
    parts += [f"{name} {_mean(value(key))}" for name, key in (("val loss", "val_loss"), ("val acc", "val_accuracy"))]
    seconds = records[0]["seconds"]
    return "  ".join([*parts, f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"])


def _six(number: float) -> str:
    """A loss in six characters as long as it is below 1,000, else in as few."""
    fitting = (text for digits in (4, 3, 2, 1) if len(text := f"{number:.{digits}f}") <= 6)
    return next(fitting, f"{number:.1e}")


def _mean(values: Sequence[float]) -> str:
    """The mean as text, with the standard deviation if there are several values."""
    return _six(fmean(values)) + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _say_stopped(step: int, path: Path, config: runs.Config) -> None:
    print(f"Stopped at step {step} and saved; go on with: {_how_to_resume(path, config)}", file=sys.stderr)


def _how_to_resume(path: Path, config: runs.Config) -> str:
    every = " and the same --distributed, in every process" if processes.are_several() else ""
    return how_to_resume(path, config) + every
