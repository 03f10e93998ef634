"""Which files and folders of a data set's directory are pictures and classes.

Directory links are not followed, nor is a file opened that is not a regular one.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cnnviz.data.prepared import INFO
from cnnviz.interop.picture_files import SUFFIXES
from cnnviz.interop.place import is_run

JUNK = {"thumbs.db", "desktop.ini", "icon\r"}
PASSED = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "__pycache__"}
STARTS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")  # of pictures, for files without an ending


@dataclass(frozen=True)
class Listing:
    """The pictures in a folder, those of them that lie in its subfolders, and its other files."""

    folder: Path
    files: list[Path]
    nested: list[Path]
    others: list[Path]


def listing(folder: Path) -> Listing:
    """The pictures in a folder and its subfolders, in order."""
    files, others = [], []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_passed(name))
        seen = [Path(place) / name for name in sorted(names) if name[0] != "." and name.lower() not in JUNK]
        for file in seen:
            (files if is_picture(file) else others).append(file)
    return Listing(folder, files, [file for file in files if file.parent != folder], others)


def subfolders(folder: Path) -> list[Path]:
    """The subfolders in order of their names, or of their numbers if all are numbers, without those that are no class.

    These are hidden folders, those that operating systems make, and those that cnnviz made: runs, pictures drawn by
    `visualize.py`, and data sets prepared for TFDS.
    """
    found = [entry for entry in _folders(folder) if not _is_passed(entry.name) and not _is_ours(entry)]
    are_numbers = all(entry.name.isdecimal() for entry in found)
    return sorted(found, key=lambda entry: (int(entry.name) if are_numbers else 0, entry.name))


def is_picture(file: Path) -> bool:
    """Whether a regular file has a picture's ending or, without any ending, a picture's first bytes."""
    if file.suffix.lower() in SUFFIXES:
        return file.is_file()
    return not re.search("[A-Za-z]", file.suffix) and file.is_file() and _starts_like_one(file)


def innermost(folder: Path) -> Path | None:
    """The first folder, from this one inward, that has no pictures of its own and several subfolders with some."""
    while True:
        inner = subfolders(folder)
        if any(is_picture(entry) for entry in folder.iterdir()):
            return None
        if len(inner) != 1:
            return folder if len([entry for entry in inner if listing(entry).files]) > 1 else None
        folder = inner[0]


def _starts_like_one(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            start = stream.read(16)
    except OSError:
        return False
    is_boxed = start[:4] == b"RIFF" and start[8:12] == b"WEBP" or start[4:12] == b"ftypavif"
    return start.startswith(STARTS) or is_boxed or re.match(rb"BM....\0\0\0\0|P[1-6]\s", start, re.DOTALL) is not None


def _folders(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        yield from [folder / entry.name for entry in entries if entry.is_dir()]


def _is_passed(name: str) -> bool:
    return name.startswith(".") or name.lower() in PASSED


def _is_ours(folder: Path) -> bool:
    """Whether cnnviz wrote a folder: a run or several, what `visualize.py` drew, or a version prepared for TFDS."""
    if (folder / INFO).is_file() or _is_drawn(folder):
        return True
    return any(is_run(place) and (place / "checkpoints").is_dir() for place in _near(folder))


def _near(folder: Path) -> Iterator[Path]:
    yield folder
    yield from _folders(folder)


def _is_drawn(folder: Path) -> bool:
    """Whether a folder is where `visualize.py` puts its pictures, and its first one was drawn by Matplotlib."""
    if folder.name != "figures":
        return False
    if (drawn := next(folder.rglob("*.png"), None)) is None:
        return not listing(folder).files
    try:
        with Image.open(drawn, formats=["PNG"]) as image:
            return re.search("matplotlib|cnnviz", str(image.info.get("Software")), re.IGNORECASE) is not None
    except Exception:  # a damaged file is none of them; decoders raise whatever it leads them to
        return False
