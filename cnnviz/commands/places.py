"""Places as they are typed: of networks, by path or by a run's name, and of folders that are written to."""

import errno
import os
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

from cnnviz.errors import InputError
from cnnviz.interop import READERS
from cnnviz.interop.foreign import is_other_file
from cnnviz.interop.place import Where, is_run

NETWORKS = f"a run's directory or a file ({', '.join(READERS)})"


def placed(where: str, runs: Path) -> str:
    """The place of a network: `where` itself, or if nothing is there, the run of that name in the folder of all runs.

    `three@1` is the seed 1 of `runs/three`. The text stays as it is if neither is there.
    """
    named = str(runs / where)
    return named if not is_there(where) and is_network(str(Where.read(named).path)) else where


def runs_in(arguments: Sequence[str]) -> Path:
    """The folder of all runs, where `--runs` says it among the arguments."""
    for argument, after in pairwise([*arguments, ""]):
        name, is_joined, value = argument.partition("=")
        if name == "--runs":
            return Path(value if is_joined else after)
    return Path("runs")


def is_no_network(text: str, runs: Path) -> bool:
    """Whether a text is named like a file, such as `photo.xyz`, neither a network's nor near to a run's name."""
    place = Where.read(placed(text, runs))
    if (place.step, place.seed) != (None, None) or not is_other_file(place.path):
        return False
    return place.path.exists() or _near(place.path, runs) is None


def missing(text: str, runs: Path, option: str = "", right: str = NETWORKS) -> InputError:
    """The error for a text in the place of a network, where none is; it suggests the run of this name in the folder
    of all runs, or one of a near name there or next to it, and else says what would be `right`.

    `option` is what the text was the value of, if it was one's.
    """
    what = f"{option} {text}".lstrip()
    if (run := runs / text).is_dir() or (run := _near(Where.read(text).path, runs)) is not None:
        return InputError(f"{what} does not exist; did you mean {run}?")
    return InputError(f"{what} does not exist; give {right}.")


def _near(path: Path, runs: Path) -> Path | None:
    """The run whose name is nearest to the path's, of those in its own folder and in that of all runs."""
    found = [entry for folder in dict.fromkeys([path.parent, runs]) if folder.is_dir() for entry in folder.iterdir()]
    names = {entry.name: entry for entry in reversed(found) if is_network(str(entry))}
    nearest = get_close_matches(path.name, sorted(names), 1)
    return names[nearest[0]] if nearest else None


def is_network(where: str) -> bool:
    """Whether a run, or a file that holds a network, is at `where`."""
    path = Path(where)
    return is_run(path) or (path.suffix in READERS and path.is_file())


def is_there(where: str) -> bool:
    """Whether a network can be at `where`: the path exists, or what is before its step and seed."""
    ends = (len(where), where.rfind("@"), where.rfind(":step_"))
    return any(Path(where[:end]).exists() for end in ends if end > 0)


def check_folder(option: str, folder: Path | None) -> None:
    """Raises InputError for a file in the place of a folder that is written to, OSError if it may not be written to."""
    if folder is None:
        return
    if (nearest := _nearest(folder)).is_file():
        where = "a file" if folder.is_file() else f"in {nearest}, which is a file"
        raise InputError(f"--{option} {folder} is {where}; give a folder.")
    check_writable(folder)


def check_writable(place: Path) -> None:
    """Raises PermissionError for the file or folder, or the nearest folder above it, that may not be written to."""
    nearest = _nearest(place)
    if not os.access(nearest, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(nearest))


def _nearest(place: Path) -> Path:
    """The place, or else the nearest folder or file above it that exists."""
    return next(path for path in (place, *place.parents) if os.path.lexists(path))
