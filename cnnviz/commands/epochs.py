"""Training told line by line: an epoch a line, a checkpoint after each, and what came out at the end."""

import json
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz import configs, runs
from cnnviz.background import background
from cnnviz.commands import terminal
from cnnviz.errors import InputError
from cnnviz.training.fit import NotFinite, best, fit, split, split_rows
from cnnviz.training.recipe import Recipe
from cnnviz.training.step import Examples, make_evaluate
from cnnviz.whole import whole


def train_on(path: Path, config: dict[str, Any], dataset: Any, stopped: list[int]) -> int:
    """Trains from the run's latest checkpoint to its end, or to Ctrl-C."""
    recipe, limit = Recipe(**config["recipe"]), config["data"]["limit"]
    split_key, fit_key = jax.random.split(jax.random.fold_in(jax.random.key(recipe.seed), 1))
    rows, _ = split_rows(len(dataset.train.labels[:limit]), recipe.validation, split_key)
    training, validation = split(on_device(dataset.train, limit), recipe.validation, split_key)
    model = runs.build_model(config)
    begun, history = runs.load_state(path)
    step = int(begun.step)
    if runs.mend_metrics(path, history):
        print("metrics.jsonl was not whole; it is written again from the checkpoint.")
    with terminal.progress() as on_step, background() as later:
        how = {"save_at": configs.keep_of(config).snapshots, "stop": lambda: bool(stopped), "on_step": on_step}
        how["history"] = tuple(history)
        try:
            for state, record in fit(model, begun, training, validation, recipe, runs.prepare, fit_key, **how):
                step, history = int(state.step), [*history, *([record] if record else [])]
                later(runs.save, path, jax.tree.map(np.array, state), tuple(history))  # a copy: the step goes on
                if record:
                    print(_line(record, recipe.epochs), flush=True)
        except NotFinite as error:
            file = _write_batches(path, error, rows)
            raise InputError(f"{error} {file} lists the images. The last good checkpoint of {path} is kept.") from error
    if stopped:
        print(f"Stopped at step {step} and saved; go on with: {_how_to_resume(path)}", file=sys.stderr)
        return 128 + stopped[0]  # 130 for Ctrl-C, 143 for SIGTERM
    _conclude(path, model, on_device(dataset.test, limit), history)
    return 0


def on_device(part: Any, limit: int | None) -> Examples:
    """The first `limit` images and labels of a split, or all."""
    return Examples(jnp.asarray(part.images[:limit]), jnp.asarray(part.labels[:limit]))


def _write_batches(path: Path, error: NotFinite, rows: Any) -> Path:
    """Writes which training images, counted as the data set has them, were in the batches that were refused."""
    file, rows = path / "not_finite.json", np.asarray(rows)
    batches = [{"step": step, "images": rows[list(batch)].tolist()} for step, batch in error.batches.items()]
    with whole(file) as temporary:
        temporary.write_text(json.dumps(batches) + "\n")
    return file


def _conclude(path: Path, model: Any, test: Any, history: list[dict[str, Any]]) -> None:
    """Measures the kept checkpoint on the test images, once, and writes and prints what came out."""
    loss, accuracy = make_evaluate(model, runs.prepare)(runs.load_run(path).variables, test)
    kept = best(history)
    runs.write_summary(path, {"best": kept, "test_loss": loss, "test_accuracy": accuracy, "epochs": len(history)})
    print(f"Kept epoch {kept['epoch']}: test accuracy {accuracy:.4f}, test loss {loss:.4f}. Run: {path}")


def _line(record: dict[str, Any], epochs: int) -> str:
    numbers = [f"{name} {record[name]:.4f}" for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")]
    return "  ".join([f"epoch {record['epoch']:2d}/{epochs}", *numbers, f"{record['seconds']:.1f} s"])


def _how_to_resume(path: Path) -> str:
    return f"python train.py --resume --runs {path.parent} --name {path.name}"
