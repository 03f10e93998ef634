"""Writing a file, or a directory, whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A place beside `path`, with its suffix, to write to; it becomes `path` once that is done, else nothing stays."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    _remove(temporary)  # of a killed process that had this one's number
    try:
        yield temporary
        temporary.replace(path)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
