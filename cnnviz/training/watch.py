"""What ends a training early: updates that are not finite, and losses far beyond those at the start."""

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from cnnviz.errors import InputError
from cnnviz.training.advance import Rows
from cnnviz.training.members import Record
from cnnviz.training.recipe import Recipe
from cnnviz.types import Array

REFUSALS = 3  # refused updates in a row after which training stops
# Times the loss at the start, or that of guessing: a training has diverged if one loss of an epoch is beyond the first
# and both are beyond the second.
FURTHER, FAR = 100, 10


class NotFinite(InputError):
    """The loss or its gradient stayed NaN or infinite; `batches` are the rows of the refused batches by step."""

    def __init__(self, text: str, batches: Mapping[int, Sequence[int]]):
        super().__init__(text)
        self.batches = batches


class Diverged(InputError):
    """The losses of an epoch are beyond what they were at the start by orders of magnitude."""


def check_converges(record: Record, start: float, recipe: Recipe) -> None:
    """Raises Diverged if the losses of an epoch are beyond that at the start by orders of magnitude.

    A large one alone may come from the first steps, or from evaluation with early statistics of BatchNorm.
    The error says what to change of the recipe.
    """
    least, most = sorted((record["train_loss"], record["val_loss"]))
    if least > FAR * start and most > FURTHER * start:
        clip = "" if recipe.gradient_clip else ", or gradient clipping"
        raise Diverged(
            f"The training diverged: the loss was {start:.3g} at the start, {record['train_loss']:.3g} in epoch "
            f"{record['epoch']} and {record['val_loss']:.3g} after it; try a smaller learning rate than "
            f"{recipe.learning_rate:g}{clip}."
        )


class Watch:
    """The calls that are still running on the device, and each network's batches refused last, by step."""

    def __init__(self, allowed: int):
        self.allowed = allowed
        self.waiting: deque[tuple[int, Rows, Mapping[int, Array]]] = deque()
        self.refused: dict[int, dict[int, list[int]]] = {}

    def of(self, network: int) -> dict[int, list[int]]:
        """The rows of the last batches of a network that were refused in a row, by step."""
        return self.refused.setdefault(network, {})

    def add(self, start: int, rows: Rows, refused: Mapping[int, Array]) -> None:
        """Adds a call, and waits for the oldest ones if too many are running."""
        self.waiting.append((start, rows, refused))
        self.wait(self.allowed)

    def wait(self, allowed: int) -> None:
        """Waits for the oldest calls until `allowed` are left; raises NotFinite after `REFUSALS` refusals in a row."""
        while len(self.waiting) > allowed:
            start, rows, refused = self.waiting.popleft()
            for i, in_a_row in refused.items():
                self._check(start, rows[i], np.asarray(in_a_row), self.of(i))

    def _check(self, start: int, rows: np.ndarray, in_a_row: np.ndarray, refused: dict[int, list[int]]) -> None:
        for step, (batch, count) in enumerate(zip(rows, in_a_row, strict=True), start + 1):
            if not count:
                refused.clear()
                continue
            refused[step] = batch.tolist()
            if count >= REFUSALS:
                what = f"The loss or its gradient was not finite in {REFUSALS} steps in a row, at last in step {step};"
                raise NotFinite(f"{what} try a smaller learning rate.", refused)
