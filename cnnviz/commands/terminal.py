"""What a long command has to do with its terminal: a progress bar, and an end at the next good moment on Ctrl-C."""

import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Stop = Callable[[], int]  # the signal after which to end; 0 while there was none


@contextmanager
def ctrl_c() -> Iterator[Stop]:
    """Which of Ctrl-C and SIGTERM has come; a second one ends the program at once."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: received[0] if received else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def any_process(debug: bool = False) -> Iterator[Stop]:
    """Whether SIGTERM has come to any of several processes; all of them learn it at the same call.

    JAX catches the signal itself: a handler of our own would keep it from telling the others. When another process is
    gone, so that the sums over all cannot be had, this one ends at once: JAX would wait for it, and abort in the end.
    `debug` shows the traceback too.
    """
    from jax.errors import JaxRuntimeError
    from jax.experimental.multihost_utils import reached_preemption_sync_point

    calls, received = itertools.count(), []

    def stop() -> int:
        if not received and reached_preemption_sync_point(next(calls)):
            received.append(signal.SIGTERM)
        return received[0] if received else 0

    try:
        yield stop
    except JaxRuntimeError as error:
        if debug:
            traceback.print_exc()
        what = f"This process cannot go on, perhaps since another one is gone ({str(error).splitlines()[0]})"
        print(f"{what}; what was saved is whole, start all again with --resume.", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(2)


@contextmanager
def progress() -> Iterator[Any]:
    """`on_step(done, total)`, which moves a bar on a terminal and does nothing elsewhere."""
    if not sys.stdout.isatty():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("step")
        yield lambda done, total: bar.update(task, completed=done, total=total)
