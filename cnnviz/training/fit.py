"""The training loop: epochs of steps, one record per epoch, early stopping, and the same bits when it is resumed."""

import math
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from cnnviz.batching import is_in_turn
from cnnviz.training.advance import Advance, at_once, in_turn
from cnnviz.training.evaluate import ROWS, make_evaluate
from cnnviz.training.feed import Feed
from cnnviz.training.members import Member, Record, is_over
from cnnviz.training.mesh import check_batch, in_flight, replicated
from cnnviz.training.optimizer import learning_rate_at
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import State, Totals
from cnnviz.training.step import make_step
from cnnviz.training.watch import NotFinite, Watch, check_converges
from cnnviz.types import Array


class Progress(NamedTuple):
    """How far an epoch is: `done` of its `steps`, each of `images` images, of all networks that are trained."""

    epoch: int
    done: int
    steps: int
    images: int
    totals: Sequence[Totals]

    def means(self) -> tuple[float, float]:
        """Mean loss and accuracy in the epoch so far; waits for the devices."""
        found = [totals.means() for totals in self.totals if int(totals.count)]
        loss, accuracy = np.mean(found, 0) if found else (math.nan, math.nan)
        return float(loss), float(accuracy)


def steps_per_epoch(count: int, recipe: Recipe) -> int:
    """The number of complete batches in `count` training images; the images left over are not used in that epoch."""
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
    on_step: Callable[[Progress], None] = lambda progress: None,
    at_a_time: Callable[..., Advance] | None = None,
    class_weights: np.ndarray | None = None,
    begun: int = 0,
) -> Iterator[tuple[list[State], list[Record]]]:
    """Trains the networks side by side; after each epoch it yields their states and one record per network.

    States are also yielded, without records, after the steps in `save_at`, and for the last time when `stop()` turns
    true. A yielded state is valid until the next one is requested. From yielded states and the records so far, `fit`
    continues with the same bits. A network that stopped early keeps its state. With several networks, records have a
    `seed`.

    `at_a_time` takes the steps: `in_turn`, the default on CPU, or `at_once`. `class_weights` `[k]` weigh the loss. The
    patience counts from epoch `begun`, where a finished training went on. Raises NotFinite if `REFUSALS` updates in a
    row, all updates of an epoch, or the validation loss are not finite, and Diverged as `check_converges` does.
    """
    training = _Training(model, states, feed, members, recipe, prepare, at_a_time, class_weights)
    histories = [_records_of(member, history) for member in members]
    training.note_start(histories)
    while active := [i for i, records in enumerate(histories) if not is_over(records, recipe, begun)]:
        start, epoch = time.perf_counter(), len(histories[active[0]])
        if not (yield from training.take_steps(epoch, active, save_at, stop, on_step)):
            return
        for i in active:
            histories[i].append(training.end_epoch(i, epoch + 1))
        timed = _timed(len(active) * training.steps * training.batch, time.perf_counter() - start)
        yield training.states, [histories[i][-1] | timed for i in active]


def _timed(images: int, seconds: float) -> Record:
    return {"seconds": seconds, "images_per_second": images / seconds}


def _records_of(member: Member, history: Sequence[Record]) -> list[Record]:
    return [dict(record) for record in history if record.get("seed", member.seed) == member.seed]


def _calls(at: int, last: int, longest: int, save_at: Collection[int]) -> Iterator[tuple[int, int]]:
    """First and last step of each compiled call: at most `longest` steps, and ending at each step in `save_at`."""
    while at < last:
        end = min([last, at + longest, *(step for step in save_at if step > at)])
        yield at, end
        at = end


class _Training:
    """The networks' current states, and the compiled functions that advance and evaluate them."""

    def __init__(
        self,
        model: Any,
        states: Sequence[State],
        feed: Feed,
        members: Sequence[Member],
        recipe: Recipe,
        prepare: Any,
        at_a_time: Any,
        class_weights: np.ndarray | None = None,
    ):
        self.states: list[State] = [replicated(state, feed.mesh) for state in states]
        count = len(members[0].training)
        self.batch, self.steps = min(recipe.batch_size, count), steps_per_epoch(count, recipe)
        check_batch(self.batch, feed.mesh)
        at_a_time = at_a_time or (in_turn if is_in_turn() else at_once)
        self.recipe, self.total = recipe, recipe.epochs * self.steps
        self.longest = 1 if at_a_time is in_turn else feed.steps_per_call
        how = {"divided": feed.mesh.size > 1, "weights": class_weights}
        self.advance = at_a_time(make_step(model, recipe, prepare, self.total, **how), members, feed)
        self.evaluate, self.feed, self.members = make_evaluate(model, prepare), feed, members
        self.watch = Watch(in_flight(feed.mesh))
        self.starts: list[float] = []

    def note_start(self, histories: Sequence[Sequence[Record]]) -> None:
        """Notes the loss that each network starts from: of some validation images, or of the first epoch so far."""
        for member, state, records in zip(self.members, self.states, histories, strict=True):
            rows = member.validation[:ROWS]
            found = records[0].get("train_loss", 0) if records else self.evaluate(state.variables, self.feed, rows)[0]
            classes = int(np.max(np.asarray(self.feed.labels))) + 1
            self.starts.append(max(found, math.log(max(classes, 2))))

    def take_steps(
        self, epoch: int, active: Sequence[int], save_at: Collection[int], stop: Callable, on_step: Callable
    ) -> Generator[tuple[list[State], list[Record]], None, bool]:
        """Takes the steps that an epoch still has; yields as `fit` does. Returns False if `stop()` ended it early."""
        first, last = epoch * self.steps, (epoch + 1) * self.steps
        orders = {i: self.members[i].order(epoch, self.batch) for i in active}
        for start, end in _calls(int(self.states[active[0]].step), last, self.longest, save_at):
            if stop():
                self.watch.wait(0)
                yield self.states, []
                return False
            rows = {i: order[start - first : end - first] for i, order in orders.items()}
            self.states, refused = self.advance(self.states, rows)
            self.watch.add(start, rows, refused)
            totals = [self.states[i].totals for i in active]
            on_step(Progress(epoch + 1, end - first, self.steps, self.batch * len(active), totals))
            if end in save_at and end < last:
                self.watch.wait(0)
                yield self.states, []
        self.watch.wait(0)
        return True

    def end_epoch(self, i: int, epoch: int) -> Record:
        """The epoch's record of the i-th network, whose totals start at zero again."""
        record = self._record(i, self.states[i], epoch)
        self.states[i] = self.states[i].replace(totals=replicated(Totals.zero(), self.feed.mesh))
        return record

    def _record(self, i: int, state: State, epoch: int) -> Record:
        """The means over the epoch's steps, and the validation; raises NotFinite if they are not finite."""
        member, refused, done = self.members[i], self.watch.of(i), int(state.totals.count) // self.batch
        if not done:
            raise NotFinite(f"No update of epoch {epoch} was finite; try a smaller learning rate.", refused)
        loss, accuracy = state.totals.means()
        record: Record = {"seed": member.seed} if len(self.members) > 1 else {}
        record |= {"epoch": epoch, "step": int(state.step), "train_loss": loss, "train_accuracy": accuracy}
        record["learning_rate"] = learning_rate_at(self.recipe, self.total, int(state.step) - 1)
        loss, accuracy = self.evaluate(state.variables, self.feed, member.validation)
        if not math.isfinite(loss):
            what = f"The validation loss was {loss} after step {record['step']}; try a smaller learning rate than"
            raise NotFinite(f"{what} {self.recipe.learning_rate:g}.", refused)
        record |= {"val_loss": loss, "val_accuracy": accuracy}
        check_converges(record, self.starts[i], self.recipe)
        return record if done == self.steps else record | {"refused": self.steps - done}
