"""The loop: epochs of steps, one record an epoch, early stopping, and the same bits wherever it is resumed."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from cnnviz.errors import InputError
from cnnviz.training.recipe import Recipe
from cnnviz.training.step import Examples, State, Totals, make_evaluate, make_step
from cnnviz.types import Array, Key

Record = dict[str, float | int]
IN_FLIGHT = 8  # steps handed to the device and not waited for; without a bound, several CPU devices can deadlock


class NotFinite(InputError):
    """The loss or its gradient became NaN or infinite."""


def split(examples: Examples, share: float, key: Key) -> tuple[Examples, Examples]:
    """Training and validation examples; `share` of them, drawn by the key, are for validation."""
    held = held_out(len(examples.labels), share)
    order = jax.random.permutation(key, len(examples.labels))
    part = lambda rows: Examples(examples.images[rows], examples.labels[rows])
    return part(order[held:]), part(order[:held])


def held_out(count: int, share: float) -> int:
    """How many of `count` images are for validation; a share that leaves either side empty is an InputError."""
    held = round(count * share)
    if not 0 < held < count:
        raise InputError(f"Of {count} images a share of {share} leaves none on one side of the split.")
    return held


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
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[tuple[State, Record | None]]:
    """Trains, and yields the state and the epoch's record after each epoch.

    When `stop()` turns true, the state is yielded after the step under way, with None for a record, and that is the
    end. From any yielded state and the records so far, `fit` goes on with the same bits as if it had not stopped. The
    yielded state is valid until the next one is asked for. Raises NotFinite with the first step whose loss or gradient
    is not finite.
    """
    data_key, dropout_key = jax.random.split(key)
    batch = min(recipe.batch_size, len(train.labels))
    steps = len(train.labels) // batch
    step = make_step(model, recipe, prepare, dropout_key, recipe.epochs * steps)
    evaluate = make_evaluate(model, prepare)
    history = list(history)
    while not is_over(history, recipe):
        begun, epoch, waiting = time.perf_counter(), len(history), deque()
        order = jax.random.permutation(jax.random.fold_in(data_key, epoch), len(train.labels))
        order = order[: steps * batch].reshape(steps, batch)
        for at in range(int(state.step), (epoch + 1) * steps):
            if stop():
                _check(waiting, 0)
                yield state, None
                return
            state, health = step(state, train, order)
            waiting.append((at + 1, health))
            _check(waiting, IN_FLIGHT)
            on_step(at + 1 - epoch * steps, steps)
        _check(waiting, 0)
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
        if not math.isfinite(val_loss):
            raise NotFinite(f"The validation loss was {val_loss} after step {record['step']}.")
        history.append(record)
        yield state, record


def _check(waiting: deque, allowed: int) -> None:
    """Waits for the oldest steps until `allowed` are left, and raises at one that is not finite."""
    while len(waiting) > allowed:
        step, health = waiting.popleft()
        if not np.isfinite(health):
            raise NotFinite(f"The loss or its gradient was not finite at step {step}; try a smaller learning rate.")
