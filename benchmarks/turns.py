"""Times of several libraries in one process, taken in turns.

In a turn a library is called several times in a row, as one uses it: PyTorch's threads wait busily for some
milliseconds after a call of theirs, and whatever is called next has a processor less.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

Run = Callable[[], Any]

TURN, LONG_ENOUGH, ROUNDS = 100, 3000, 3  # milliseconds of one's turn and of all of its turns; at least so many turns


def take_turns(*runs: Run) -> list[float]:
    """The median of each, in milliseconds; what is to be compiled has been called before."""
    times: list[list[float]] = [[] for _ in runs]
    rounds = 0
    while rounds < ROUNDS or sum(map(sum, times)) < LONG_ENOUGH:
        for own, run in zip(times, runs, strict=True):
            own += turn(run)
        rounds += 1
    return [median(own) for own in times]


def turn(run: Run) -> list[float]:
    times: list[float] = []
    while sum(times) < TURN:
        times.append(timed(run))
    return times


def timed(run: Run) -> float:
    """The milliseconds until the result is an array of this process."""
    start = time.perf_counter()
    np.asarray(run())
    return (time.perf_counter() - start) * 1e3


def processor_time(run: Run, calls: int = 3) -> float:
    """The median milliseconds of all processors that a call takes, which other work on the machine changes little."""
    times = []
    for _ in range(calls):
        start = time.process_time()
        np.asarray(run())
        times.append((time.process_time() - start) * 1e3)
    return median(times)
