"""Atomic writes: at every moment a file or folder is either complete or not there."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path, *, replace_folder: bool = False) -> Iterator[Path]:
    """Yields a path of the same name to write a file or folder to; on success it is fsynced and renamed to `path`.

    On an exception `path` stays as it was. An existing file is replaced, and an existing folder if `replace_folder` is
    set: it is renamed first, so for a moment neither is there. Otherwise raises OSError if the folder is not empty.
    """
    writer = f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"
    folder = path.with_name(f".{path.name}.{writer}")
    _remove(folder)  # left by a killed process that had the same id
    folder.mkdir()
    try:
        yield folder / path.name
        _sync_contents(folder / path.name)
        if replace_folder and path.is_dir():
            path.rename(folder / f"{path.name}-replaced")
        (folder / path.name).replace(path)
        _sync(path.parent)
    finally:
        _remove(folder)


def _sync_contents(path: Path) -> None:
    for written in [*path.rglob("*"), path]:
        _sync(written)


def _sync(path: Path) -> None:
    """Returns when the file, or the folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
