"""Atomic writes: at every moment a file or folder is either complete or not there."""

import hashlib
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path


@contextmanager
def atomic_write(path: Path, *, replace_folder: bool = False) -> Iterator[Path]:
    """Yields a path of the same name to write a file or folder to; on success it is fsynced and renamed to `path`.

    On an exception `path` stays as it was. An existing file is replaced, and an existing folder if `replace_folder` is
    set: it is renamed first, so for a moment neither is there. Otherwise raises OSError if the folder is not empty.
    """
    folder = path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{threading.get_ident()}")
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


def clear_unfinished(folder: Path) -> None:
    """Removes what `atomic_write` had not finished in a folder when its process was killed.

    What a living process writes stays, and so does everything from another machine or container, whose processes
    cannot be seen from here.
    """
    if os.name != "posix":  # elsewhere os.kill would end the process
        return
    ours = re.compile(rf"\..+\.{_machine()}-(\d{{1,9}})-\d+", re.DOTALL)
    for entry in folder.glob(".*"):
        if (found := ours.fullmatch(entry.name)) and _is_gone(int(found[1])):
            _remove(entry)


@cache
def _machine() -> str:
    """A text that differs between machines and between containers, within which process ids are unique."""
    facts = [socket.gethostname()]
    with suppress(OSError):
        facts.append(Path("/etc/machine-id").read_text())
    with suppress(OSError):
        facts.append(str(os.stat("/proc/self/ns/pid").st_ino))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        pass
    return False


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
