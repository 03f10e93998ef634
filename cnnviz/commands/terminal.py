"""The terminal of a long command: a progress bar, and a clean stop on Ctrl-C or SIGTERM."""

import itertools
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from cnnviz.commands.output import Output, escaped, is_of_the_system, unescaped

Report = Callable[..., None]  # called as report(done, total), or report(done, total, what)
# Seconds without output before a line says what is worked on: the first time, then, and after a minute.
FIRST, LATER, LATEST, MINUTE = 1.0, 3.0, 10.0, 60.0

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
def progress() -> Iterator[Report]:
    """Yields `report(done, total, what)`, which says how much is done: a bar on a terminal, elsewhere lines on stderr.

    A line is printed when nothing else was for some seconds, and only if stderr is a stream of the operating system.
    `what` names the work; without it the previous name stays.
    """
    terminals = [stream for stream in map(unescaped, (sys.stdout, sys.stderr)) if stream.isatty()]
    with _bar(terminals[0]) if terminals else _lines() as report:
        yield report


@contextmanager
def at_work(what: str) -> Iterator[None]:
    """Says what is worked on, as `progress` does, if it takes long."""
    with progress() as report:
        report(0, 1, what)
        yield


@contextmanager
def _bar(stream: Output) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(file=stream)  # type: ignore[arg-type]
    is_stdout = stream.stream is unescaped(sys.stdout).stream
    with Progress(*columns, transient=True, console=console, redirect_stdout=is_stdout) as bar:
        task = bar.add_task("working", total=1.0)

        def report(done: int, total: int, what: str = "") -> None:
            bar.update(task, completed=done / total, description=escaped(what) if what else None)

        with redirect_stdout(Output(sys.stdout)), redirect_stderr(Output(sys.stderr)):  # which are the bar's own now
            yield report


@contextmanager
def _lines() -> Iterator[Report]:
    state, ended = {"what": "working", "share": 0.0}, threading.Event()

    def report(done: int, total: int, what: str = "") -> None:
        state.update({"what": what or state["what"], "share": done / total})

    writer = threading.Thread(target=_write_lines, args=(sys.stderr, state, ended), daemon=True)
    if not is_of_the_system(sys.stderr):
        yield report
        return
    writer.start()
    try:
        yield report
    finally:
        ended.set()
        writer.join()


def _write_lines(stream: Any, state: Mapping[str, Any], ended: threading.Event) -> None:
    """Writes what is worked on whenever nothing was printed for a while, until `ended` is set."""
    start, silence = time.monotonic(), FIRST
    while not ended.wait(0.2):
        now = time.monotonic()
        if now - max(start, Output.last_written) >= silence:
            share = f"{state['share']:.0%}, " if state["share"] else ""
            print(f"{state['what']}: {share}{now - start:.0f} s", file=stream, flush=True)
            silence = LATER if now - start < MINUTE else LATEST
