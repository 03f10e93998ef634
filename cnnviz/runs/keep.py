"""Which checkpoints of a run stay on disk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnviz.errors import InputError, OptionError
from cnnviz.errors.wording import span
from cnnviz.training.members import Record, best, by_seed


@dataclass(frozen=True)
class Keep:
    """Keeps the first, each member's best and the `last` checkpoints; optionally every k-th epoch's and `snapshots`."""

    last: int = 1
    every: int | None = None  # epochs
    snapshots: Sequence[int] = ()  # steps

    def __post_init__(self):
        for name, value in (("keep", self.last), ("keep_every", self.every)):
            if value is not None and not (isinstance(value, int) and value >= 1):
                raise OptionError(f"{name} must be at least 1; it was {value}.")
        if not all(isinstance(step, int) for step in self.snapshots):
            raise InputError(f"snapshots are steps; they were {self.snapshots}.")

    def of(self, steps: Sequence[int], history: Sequence[Record]) -> set[int]:
        """The steps whose checkpoints are kept, of ascending `steps`."""
        every = {record["step"] for record in history if self.every and record["epoch"] % self.every == 0}
        kept = {best(own)["step"] for own in by_seed(history)}
        return set(steps) & ({0, *steps[-self.last :], *self.snapshots} | every | kept)


def log_spaced(count: int, total: int) -> list[int]:
    """`count` distinct steps from 1 to `total`, about evenly spaced on a logarithmic scale.

    Raises InputError if `count` is not from 1 to `total`.
    """
    if not 1 <= count <= total:
        raise OptionError(f"snapshots must be {span(total)}, the steps of the whole training; it was {count}.")
    steps: list[int] = []
    for wanted in np.geomspace(1, total, count) if count > 1 else [total]:
        steps.append(max(round(float(wanted)), steps[-1] + 1 if steps else 1))
    return steps
