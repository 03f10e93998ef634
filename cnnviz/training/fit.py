"""The loop: epochs of steps, one record an epoch, early stopping, and the same bits wherever it is resumed."""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from cnnviz.errors import InputError
from cnnviz.training.recipe import Recipe
from cnnviz.training.step import Examples, State, Totals, make_evaluate, make_step
from cnnviz.types import Array, Key

Record = dict[str, float | int]
IN_FLIGHT = 8  # steps handed to the device and not waited for; without a bound, several CPU devices can deadlock


REFUSALS = 3  # updates in a row that may be refused before training stops


class NotFinite(InputError):
    """The loss or its gradient stayed NaN or infinite; `batches` are the rows of the training images, by step."""

    def __init__(self, text: str, batches: Mapping[int, Sequence[int]]):
        super().__init__(text)
        self.batches = batches


def split(examples: Examples, share: float, key: Key) -> tuple[Examples, Examples]:
    """Training and validation examples; `share` of them, drawn by the key, are for validation."""
    part = lambda rows: Examples(examples.images[rows], examples.labels[rows])
    training, validation = split_rows(len(examples.labels), share, key)
    return part(training), part(validation)


def split_rows(count: int, share: float, key: Key) -> tuple[Array, Array]:
    """Which of `count` images are for training and which for validation."""
    held = held_out(count, share)
    order = jax.random.permutation(key, count)
    return order[held:], order[:held]


def held_out(count: int, share: float) -> int:
    """How many of `count` images are for validation; a share that leaves either side empty is an InputError."""
    held = round(count * share)
    if not 0 < held < count:
        raise InputError(f"Of {count} images a share of {share} leaves none on one side of the split.")
    return held


def steps_an_epoch(count: int, recipe: Recipe) -> int:
    """Steps in an epoch of `count` training images; those that fill no batch wait for another epoch."""
    return count // min(recipe.batch_size, count)


def best(history: Sequence[Record]) -> Record:
    """The record with the least validation loss, the first of equals."""
    return min(history, key=lambda record: record["val_loss"])


def is_over(history: Sequence[Record], recipe: Recipe) -> bool:
    """Whether all epochs are done, or the last `patience` of them did not improve on the best before."""
    stale = len(history) - 1 - history.index(best(history)) if history else 0
    return len(history) >= recipe.epochs or stale >= recipe.patience


def fit(
    model: Any,
    state: State,
    train: Examples,
    validation: Examples,
    recipe: Recipe,
    prepare: Callable[[Array], Array],
    key: Key,
    *,
    history: Sequence[Record] = (),
    save_at: Collection[int] = (),
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[tuple[State, Record | None]]:
    """Trains, and yields the state and the epoch's record after each epoch.

    After the steps in `save_at` the state is yielded with None for a record. So it is after the step under way when
    `stop()` turns true, and that is the end. From any yielded state and the records so far, `fit` goes on with the same
    bits as if it had not stopped. The yielded state is valid until the next one is asked for. Raises NotFinite where
    `REFUSALS` updates in a row, all of an epoch's, or the validation loss are not finite.
    """
    data_key, dropout_key = jax.random.split(key)
    batch, steps = min(recipe.batch_size, len(train.labels)), steps_an_epoch(len(train.labels), recipe)
    step = make_step(model, recipe, prepare, dropout_key, recipe.epochs * steps)
    evaluate = make_evaluate(model, prepare)
    history, watch = list(history), _Watch()
    while not is_over(history, recipe):
        begun, epoch = time.perf_counter(), len(history)
        order = jax.random.permutation(jax.random.fold_in(data_key, epoch), len(train.labels))
        order = order[: steps * batch].reshape(steps, batch)
        rows = np.asarray(order)
        for at in range(int(state.step), (epoch + 1) * steps):
            if stop():
                watch.wait(0)
                yield state, None
                return
            state, refused = step(state, train, order)
            watch.waiting.append((at + 1, rows[at % steps], refused))
            watch.wait(IN_FLIGHT)
            on_step(at + 1 - epoch * steps, steps)
            if at + 1 in save_at and at + 1 < (epoch + 1) * steps:
                watch.wait(0)
                yield state, None
        watch.wait(0)
        done = int(state.totals.count) // batch
        if not done:
            raise NotFinite(f"No update of epoch {epoch + 1} was finite; try a smaller learning rate.", watch.refused)
        train_loss, train_accuracy = state.totals.means()
        val_loss, val_accuracy = evaluate(state.variables, validation)
        state = state.replace(totals=Totals.zero())
        record = {
            "epoch": epoch + 1,
            "step": int(state.step),
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
        }
        record |= {"val_loss": val_loss, "val_accuracy": val_accuracy, "seconds": time.perf_counter() - begun}
        if done < steps:
            record["refused"] = steps - done
        if not math.isfinite(val_loss):
            raise NotFinite(f"The validation loss was {val_loss} after step {record['step']}.", watch.refused)
        history.append(record)
        yield state, record


class _Watch:
    """Steps handed to the device and not waited for, and the batches of the updates last refused, by step."""

    def __init__(self):
        self.waiting: deque[tuple[int, np.ndarray, Array]] = deque()
        self.refused: dict[int, list[int]] = {}

    def wait(self, allowed: int) -> None:
        """Waits for the oldest steps until `allowed` are left; raises NotFinite at too many refusals in a row."""
        while len(self.waiting) > allowed:
            step, rows, in_a_row = self.waiting.popleft()
            if not int(in_a_row):
                self.refused.clear()
                continue
            self.refused[step] = rows.tolist()
            if in_a_row >= REFUSALS:
                what = f"The loss or its gradient was not finite in {REFUSALS} steps in a row, at last in step {step};"
                raise NotFinite(f"{what} try a smaller learning rate.", self.refused)
