"""Which output of a network is which class of a data set: by name, or else by number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True)
class Matched:
    """The output of each class of the data set, -1 for a class that the network does not know, and how it was found.

    `how` is a sentence, empty if names and order are the same.
    """

    outputs: Int[np.ndarray, " classes"]
    how: str = ""

    @property
    def known(self) -> Int[np.ndarray, " some"]:
        """The classes of the data set that the network knows."""
        return np.flatnonzero(self.outputs >= 0)

    def order(self, count: int) -> Int[np.ndarray, " k"]:
        """All `count` outputs, those of the data set's classes first; -1 stands for a class that is not known."""
        others = [output for output in range(count) if output not in self.outputs]
        return np.array([*self.outputs.tolist(), *others], np.int64)


def matched(name: str, names: Sequence[str], count: int, wanted: Sequence[str]) -> Matched:
    """The outputs of a network with `count` classes of these names, empty if unknown, for the `wanted` classes."""
    ours, theirs = list(names), list(wanted)
    every = np.arange(len(theirs))
    if count == len(theirs) and (not ours or ours == theirs):
        return Matched(every)
    is_named = len(ours) == count and len(set(ours)) == len(ours)
    common = [label for label in theirs if label in ours] if is_named else []
    if common:
        outputs = np.array([ours.index(label) if label in ours else -1 for label in theirs])
        what = "all" if len(common) == len(theirs) else f"{len(common)} of {len(theirs)}"
        return Matched(outputs, f"{name}: {what} classes are matched by their names.")
    if count == len(theirs):
        return Matched(every, f"{name} has other names of classes; they are matched by their numbers.")
    return Matched(-np.ones(len(theirs), np.int64), f"{name} tells {count} other classes apart.")
