"""Running a program of cnnviz in a separate process, so that an untrusted file can crash only that process.

The answer is bytes of a bounded size: nothing that the process sends is run or unpickled.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Timer
from typing import IO

from cnnviz.errors import InputError

# The program's folder and the current one are not searched for modules, so that no h5py.py beside a file is imported.
START = "import runpy, sys; sys.path += sys.argv[2:]; runpy.run_path(sys.argv[1], run_name='__main__')"


class Ended(Exception):
    """The program ended without an answer; the message is a clause whose subject is the program."""


def ask(program: Path, file: IO[bytes], seconds: float, most: tuple[int, int]) -> tuple[bytes, bytes]:
    """The program's answer about the file, its standard input: two parts of at most `most` bytes each.

    Raises Ended if the program crashes, takes longer than `seconds`, or writes anything else, and InputError if it
    cannot be started.
    """
    command = [sys.executable, "-I", "-c", START, str(program), *_search_path()]
    start = time.monotonic()
    # OpenBLAS would reserve memory for as many threads as there are cores
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with Popen(command, stdin=file, stdout=PIPE, stderr=DEVNULL, env=environment) as process:
        timer = Timer(seconds, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            answer = _read(process.stdout, most)
            if answer is None:
                process.wait()
        finally:
            timer.cancel()
            process.kill()
    if answer is None:
        raise _failure(program, process.returncode, time.monotonic() - start >= seconds)
    return answer


def _read(output: IO[bytes], most: tuple[int, int]) -> tuple[bytes, bytes] | None:
    """The two parts of an answer, after a line with their sizes; None if they are incomplete."""
    with suppress(ValueError):
        sizes = [int(size) for size in output.readline(64).split()]
        if len(sizes) == 2 and all(0 <= size <= bound for size, bound in zip(sizes, most, strict=True)):
            parts = output.read(sizes[0]), output.read(sizes[1])
            if [len(part) for part in parts] == sizes:
                return parts
    return None


def _failure(program: Path, code: int, late: bool) -> Exception:
    if code == -getattr(signal, "SIGXCPU", 0):
        return Ended("did not end in time")
    if late:
        return Ended("did not end in time, or the machine is too busy at the moment")
    if code == 1:  # Python's, if it cannot find the program or a module that it imports
        return InputError(f"{sys.executable} cannot start {program}, which reads it in a process of its own.")
    return Ended(f"ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}")


def _search_path() -> list[str]:
    """The module search path of this process, without the current directory."""
    return [place for place in sys.path if os.path.isabs(place) and not _is_current(place)]


def _is_current(place: str) -> bool:
    with suppress(OSError):
        return os.path.samefile(place, os.curdir)
    return False
