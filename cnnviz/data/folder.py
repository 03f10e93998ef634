"""Folders of images: one subfolder per class, either directly or in each of `train` and `test`."""

from pathlib import Path

import numpy as np

from cnnviz.data import cache, pictures
from cnnviz.data.dataset import Dataset, Split, assemble, hold_out, split
from cnnviz.errors import InputError

PARTS = {"train", "test", "val", "valid", "validation"}
SUFFIXES = {suffix for suffixes in pictures.FORMATS.values() for suffix in suffixes}


def read(path: Path) -> Dataset:
    """The data set in a folder of images; without `train` and `test`, every sixth image of a class is for testing.

    Raises InputError if a class has no images, if an image cannot be read, or if their sizes differ.
    """
    path = path.resolve()
    parts = [path / "train", path / "test"] if (path / "train").is_dir() and (path / "test").is_dir() else [path]
    classes = _classes(parts[0])
    if not parts[1:] and set(classes) <= PARTS:
        raise InputError(f"{path} has {' and '.join(classes)}; it needs train and test, or one subfolder per class.")
    if parts[1:] and _classes(parts[1]) != classes:
        raise InputError(
            f"{parts[1]} has classes {_classes(parts[1])}, {parts[0]} has {classes}; they must be the same."
        )
    listed = {
        part: [(label, file) for label in range(len(classes)) for file in _files(part / classes[label])]
        for part in parts
    }
    mark = cache.stamp(file for entries in listed.values() for _, file in entries)

    def decode() -> Dataset:
        splits = [_split(part, entries) for part, entries in listed.items()]
        train, test = splits if splits[1:] else hold_out(splits[0], str(path))
        return assemble(str(path), train, test, classes, str(path))

    return cache.remembered(str(path), str(path), mark, decode)


def _classes(part: Path) -> list[str]:
    """The names of the subfolders in alphabetical order, or in numerical order if all are numbers."""
    names = sorted(entry.name for entry in part.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise InputError(f"{part} has no subfolders; a folder of images has one per class.")
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else names


def _files(folder: Path) -> list[Path]:
    files = sorted(
        file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.name[0] != "." and file.is_file()
    )
    if not files:
        raise InputError(f"{folder} has no images; each class needs at least one ({', '.join(sorted(SUFFIXES))}).")
    return files


def _split(part: Path, entries: list[tuple[int, Path]]) -> Split:
    images = pictures.stack((str(file), file) for _, file in entries)
    return split(images, np.array([label for label, _ in entries]), str(part))
