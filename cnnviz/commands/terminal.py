"""The terminal of a long command: a progress bar, and a clean stop on Ctrl-C or SIGTERM."""

import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from cnnviz.commands.output import Output, unescaped

Stop = Callable[[], int]  # the signal that asks the command to stop; 0 if there was none


@contextmanager
def ctrl_c() -> Iterator[Stop]:
    """Yields a function that returns SIGINT or SIGTERM once it has arrived; a second one raises KeyboardInterrupt."""
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
    """Yields a function that returns SIGTERM once any of several processes has received it, in all at the same call.

    JAX handles the signal itself, as a handler of ours would keep it from notifying the other processes. If another
    process has died, so that collective operations fail, this one exits with code 2 at once: JAX would wait for the
    other one, then abort. `debug` also shows the traceback.
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
        what = f"This process cannot go on, perhaps because another one is gone ({str(error).splitlines()[0]})"
        print(f"{what}; the saved run is complete, start all again with --resume.", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(2)


@contextmanager
def progress() -> Iterator[Any]:
    """Yields `report(done, total, what)`, which moves a progress bar on a terminal and does nothing elsewhere."""
    stream = unescaped(sys.stdout)
    if not stream.isatty():
        yield lambda done, total, what="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, console=Console(file=stream)) as bar:  # type: ignore[arg-type]
        task = bar.add_task("step")
        with redirect_stdout(Output(sys.stdout)), redirect_stderr(Output(sys.stderr)):  # which are the bar's own now
            yield lambda done, total, what="step": bar.update(task, completed=done, total=total, description=what)
