"""The loop: epochs of steps, a record an epoch, early stopping, and the same bits wherever it is resumed."""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz.batching import is_in_turn
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
    training = _Training(model, feed, members, recipe, prepare, at_a_time)
    steps, watch = training.steps, training.watch
    now: list[State] = [replicated(state, feed.mesh) for state in states]
    histories = [_of(history, member) for member in members]
    while active := [i for i, own in enumerate(histories) if not is_over(own, recipe)]:
        begun, epoch = time.perf_counter(), len(histories[active[0]])
        orders = {i: members[i].order(epoch, training.batch) for i in active}
        for start, end in _calls(int(now[active[0]].step), (epoch + 1) * steps, training.longest, save_at):
            if stop():
                watch.wait(0)
                yield now, []
                return
            rows = {i: order[start - epoch * steps : end - epoch * steps] for i, order in orders.items()}
            now, refused = training.advance(now, rows)
            watch.add(start, rows, refused)
            on_step(end - epoch * steps, steps)
            if end in save_at and end < (epoch + 1) * steps:
                watch.wait(0)
                yield now, []
        watch.wait(0)
        for i in active:
            histories[i].append(training.record(i, now[i], epoch + 1))
            now[i] = now[i].replace(totals=replicated(Totals.zero(), feed.mesh))
        seconds = time.perf_counter() - begun
        yield now, [histories[i][-1] | {"seconds": seconds} for i in active]


def _of(history: Sequence[Record], member: Member) -> list[Record]:
    return [dict(record) for record in history if record.get("seed", member.seed) == member.seed]


def _calls(at: int, last: int, longest: int, save_at: Collection[int]) -> Iterator[tuple[int, int]]:
    """From which step to which each compiled call goes: none over a step in `save_at`, none too long."""
    while at < last:
        end = min([last, at + longest, *(step for step in save_at if step > at)])
        yield at, end
        at = end


class _Training:
    """What stays as it is from the first step to the last: what is compiled, and how many steps an epoch has."""

    def __init__(self, model: Any, feed: Feed, members: Sequence[Member], recipe: Recipe, prepare: Any, at_a_time: Any):
        count = len(members[0].training)
        self.batch, self.steps = min(recipe.batch_size, count), steps_an_epoch(count, recipe)
        check_batch(self.batch, feed.mesh)
        at_a_time = at_a_time or (in_turn if is_in_turn() else at_once)
        total = recipe.epochs * self.steps
        self.longest = 1 if at_a_time is in_turn else feed.steps_a_call
        self.advance = at_a_time(make_step(model, recipe, prepare, total, divided=feed.mesh.size > 1), members, feed)
        self.evaluate, self.feed, self.members = make_evaluate(model, prepare), feed, members
        self.watch = _Watch(in_flight(feed.mesh))

    def record(self, i: int, state: State, epoch: int) -> Record:
        """What the epoch's steps left in the totals, and the validation; NotFinite where that is no number."""
        member, refused, done = self.members[i], self.watch.of(i), int(state.totals.count) // self.batch
        if not done:
            raise NotFinite(f"No update of epoch {epoch} was finite; try a smaller learning rate.", refused)
        loss, accuracy = state.totals.means()
        record: Record = {"seed": member.seed} if len(self.members) > 1 else {}
        record |= {"epoch": epoch, "step": int(state.step), "train_loss": loss, "train_accuracy": accuracy}
        loss, accuracy = self.evaluate(state.variables, self.feed, member.validation)
        if not math.isfinite(loss):
            raise NotFinite(f"The validation loss was {loss} after step {record['step']}.", refused)
        record |= {"val_loss": loss, "val_accuracy": accuracy}
        return record if done == self.steps else record | {"refused": self.steps - done}


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
