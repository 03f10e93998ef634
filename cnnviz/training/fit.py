"""The loop: epochs of steps, a record an epoch, early stopping, and the same bits wherever it is resumed."""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from cnnviz.errors import InputError
from cnnviz.training.advance import Advance, Rows, at_once, in_turn
from cnnviz.training.evaluate import make_evaluate
from cnnviz.training.feed import Feed
from cnnviz.training.members import Member, Record, is_over
from cnnviz.training.mesh import check_batch, in_flight, replicated
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import State, Totals
from cnnviz.training.step import make_step
from cnnviz.types import Array

REFUSALS = 3  # updates in a row that may be refused before training stops


class NotFinite(InputError):
    """The loss or its gradient stayed NaN or infinite; `batches` are the rows of the training images, by step."""

    def __init__(self, text: str, batches: Mapping[int, Sequence[int]]):
        super().__init__(text)
        self.batches = batches


def steps_an_epoch(count: int, recipe: Recipe) -> int:
    """Steps in an epoch of `count` training images; those that fill no batch wait for another epoch."""
    return count // min(recipe.batch_size, count)


def fit(
    model: Any,
    states: Sequence[State],
    feed: Feed,
    members: Sequence[Member],
    recipe: Recipe,
    prepare: Callable[[Array], Array],
    *,
    history: Sequence[Record] = (),
    save_at: Collection[int] = (),
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    at_a_time: Callable[..., Advance] | None = None,
) -> Iterator[tuple[list[State], list[Record]]]:
    """Trains one or several networks side by side, and yields their states and the epoch's records after each epoch.

    After the steps in `save_at` the states are yielded without records. So they are after the steps under way when
    `stop()` turns true, and that is the end. From any yielded states and the records so far, `fit` goes on with the
    same bits as if it had not stopped. The yielded states are valid until the next ones are asked for. A network that
    has stopped early stays as it is. The records of several have their `seed`.

    `at_a_time` is how steps are taken: `in_turn`, the default on CPU, or `at_once`. Raises NotFinite where `REFUSALS`
    updates in a row, all of an epoch's, or the validation loss are not finite.
    """
    count = len(members[0].training)
    batch, steps = min(recipe.batch_size, count), steps_an_epoch(count, recipe)
    check_batch(batch, feed.mesh)
    at_a_time = at_a_time or (in_turn if jax.default_backend() == "cpu" else at_once)
    advance = at_a_time(make_step(model, recipe, prepare, recipe.epochs * steps), members, feed)
    longest = 1 if at_a_time is in_turn else feed.steps_a_call
    evaluate, watch = make_evaluate(model, prepare), _Watch(in_flight(feed.mesh))
    states = [replicated(state, feed.mesh) for state in states]
    histories = [_of(history, member) for member in members]
    while active := [i for i, own in enumerate(histories) if not is_over(own, recipe)]:
        begun, epoch = time.perf_counter(), len(histories[active[0]])
        orders = {i: members[i].order(epoch, batch) for i in active}
        calls = _calls(int(states[active[0]].step), (epoch + 1) * steps, longest, save_at)
        for start, end in calls:
            if stop():
                watch.wait(0)
                yield states, []
                return
            rows = {i: order[start - epoch * steps : end - epoch * steps] for i, order in orders.items()}
            states, refused = advance(states, rows)
            watch.add(start, rows, refused)
            on_step(end - epoch * steps, steps)
            if end in save_at and end < (epoch + 1) * steps:
                watch.wait(0)
                yield states, []
        watch.wait(0)
        for i in active:
            record = _named(members[i], members) | {"epoch": epoch + 1} | _trained(states[i], steps, batch, watch.of(i))
            record |= _validated(evaluate(states[i].variables, feed, members[i].validation), record, watch.of(i))
            histories[i].append(record)
            states[i] = states[i].replace(totals=replicated(Totals.zero(), feed.mesh))
        seconds = time.perf_counter() - begun
        yield states, [histories[i][-1] | {"seconds": seconds} for i in active]


def _of(history: Sequence[Record], member: Member) -> list[Record]:
    return [dict(record) for record in history if record.get("seed", member.seed) == member.seed]


def _calls(at: int, last: int, longest: int, save_at: Collection[int]) -> Iterator[tuple[int, int]]:
    """From which step to which each compiled call goes: none over a step in `save_at`, none too long."""
    while at < last:
        end = min([last, at + longest, *(step for step in save_at if step > at)])
        yield at, end
        at = end


def _named(member: Member, members: Sequence[Member]) -> Record:
    return {"seed": member.seed} if len(members) > 1 else {}


def _trained(state: State, steps: int, batch: int, refused: Mapping[int, Sequence[int]]) -> Record:
    """What an epoch's steps left in the totals; an epoch of which no update was finite is a NotFinite."""
    done = int(state.totals.count) // batch
    if not done:
        text = f"No update of the epoch up to step {int(state.step)} was finite; try a smaller learning rate."
        raise NotFinite(text, refused)
    loss, accuracy = state.totals.means()
    record = {"step": int(state.step), "train_loss": loss, "train_accuracy": accuracy}
    return record if done == steps else record | {"refused": steps - done}


def _validated(found: tuple[float, float], record: Record, refused: Mapping[int, Sequence[int]]) -> Record:
    loss, accuracy = found
    if not math.isfinite(loss):
        raise NotFinite(f"The validation loss was {loss} after step {record['step']}.", refused)
    return {"val_loss": loss, "val_accuracy": accuracy}


class _Watch:
    """Calls handed to the device and not waited for, and the batches last refused, by network and step."""

    def __init__(self, allowed: int):
        self.allowed = allowed
        self.waiting: deque[tuple[int, Rows, Mapping[int, Array]]] = deque()
        self.refused: dict[int, dict[int, list[int]]] = {}

    def of(self, network: int) -> dict[int, list[int]]:
        return self.refused.setdefault(network, {})

    def add(self, start: int, rows: Rows, refused: Mapping[int, Array]) -> None:
        self.waiting.append((start, rows, refused))
        self.wait(self.allowed)

    def wait(self, allowed: int) -> None:
        """Waits for the oldest calls until `allowed` are left; raises NotFinite at too many refusals in a row."""
        while len(self.waiting) > allowed:
            start, rows, refused = self.waiting.popleft()
            for i, in_a_row in refused.items():
                self._look(start, rows[i], np.asarray(in_a_row), self.of(i))

    def _look(self, start: int, rows: np.ndarray, in_a_row: np.ndarray, refused: dict[int, list[int]]) -> None:
        for step, (batch, count) in enumerate(zip(rows, in_a_row, strict=True), start + 1):
            if not count:
                refused.clear()
                continue
            refused[step] = batch.tolist()
            if count >= REFUSALS:
                what = f"The loss or its gradient was not finite in {REFUSALS} steps in a row, at last in step {step};"
                raise NotFinite(f"{what} try a smaller learning rate.", refused)
