"""A run's files are inside its directory: a symbolic link, which may lead anywhere, is not followed."""

from pathlib import Path

from cnnviz.errors import InputError


def is_file(path: Path) -> bool:
    """Whether a file of a run exists; not a pipe or a device. Raises InputError if it is a symbolic link."""
    check(path)
    return path.is_file()


def check(path: Path) -> None:
    """Raises InputError if a file or folder of a run is a symbolic link."""
    if path.is_symlink():
        what = "a link, which may lead out of the run"
        raise InputError(f"{path} is {what}; put the {'folder' if path.is_dir() else 'file'} itself in its place.")
