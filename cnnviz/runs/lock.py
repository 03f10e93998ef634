"""A lock that lets only one process write to a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cnnviz.errors import InputError


def is_locked(folder: Path) -> bool:
    """Whether another process is writing to `folder`."""
    if not (folder / ".lock").is_file():
        return False
    try:
        with FileLock(folder / ".lock", timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # read-only, so it cannot be found out
        return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks `folder` until the block or the process ends; raises InputError if it is locked already or read-only."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"Another process is writing to {folder}; wait until it ends, or choose another.") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
