"""One process at a time: a folder that another one writes to is not touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cnnviz.errors import InputError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds `folder` for this process, until the end or its death; one that is held or read-only is an InputError."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"Another process is writing to {folder}; wait for its end, or choose another.") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
