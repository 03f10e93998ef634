"""Data sets of IDX files by path, in a folder or a zip archive, with the file names of MNIST and EMNIST."""

import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8

from cnnviz.data import idx
from cnnviz.data.dataset import Dataset, assemble, split
from cnnviz.data.pictures import Reading
from cnnviz.data.splits import PART_OF, parts_of
from cnnviz.errors import InputError
from cnnviz.interop.archives import DAMAGE, check_member, size_of

NAME = re.compile(r"(?P<set>.*?)(?P<part>[a-z0-9]+)[-_](?P<what>images|labels)[-_.]idx[13][-_]ubyte(\.gz)?")
EMNIST = re.compile(r"emnist-(\w+)-")  # whose images are stored with rows and columns exchanged
FOUR = tuple((part, what) for part in ("train", "test") for what in ("images", "labels"))
Files = dict[str, dict[tuple[str, str], str]]  # by the set's name: the file of each (part, "images" or "labels")


def grouped(names: Iterable[str]) -> Files:
    """The IDX files among these, by the name of their data set, which is what comes before the part's name."""
    found: Files = {}
    for name in sorted(names):
        parts = NAME.fullmatch(PurePosixPath(name).name)
        if parts and (part := PART_OF.get(parts["part"])):
            found.setdefault(parts["set"], {}).setdefault((part, parts["what"]), name)
    return found


def is_at(folder: Path) -> bool:
    """Whether a folder, or its `raw` (torchvision's), has IDX files."""
    return _place(folder) is not None


def at(path: Path, reading: Reading) -> Dataset:
    """The data set in a folder or zip archive that was named by its path."""
    name = str(path.resolve())
    return read_folder(name, _place(path) or path) if path.is_dir() else read_zip(name, path)


def _place(folder: Path) -> Path | None:
    places = [place for place in (folder, folder / "raw") if place.is_dir()]
    return next((place for place in places if grouped(entry.name for entry in place.iterdir())), None)


def read_folder(name: str, folder: Path) -> Dataset:
    """The data set of the IDX files in a folder; raises InputError if there are several, or a file is damaged."""
    files = _only(grouped(entry.name for entry in folder.iterdir() if entry.is_file()), folder)
    arrays = {key: idx.read(folder / file) for key, file in files.items()}
    return _assembled(name, arrays, [*files.values()], str(folder))


def read_files(name: str, files: Sequence[Path], classes: Sequence[str]) -> Dataset:
    """The data set of four IDX files: images and labels for training, then for testing."""
    arrays = {key: idx.read(path) for key, path in zip(FOUR, files, strict=True)}
    return _assembled(name, arrays, [path.name for path in files], str(files[0].parent), classes)


def read_zip(name: str, path: Path, only: str | None = None, classes: Sequence[str] | None = None) -> Dataset:
    """The data set of the IDX files in a zip archive, which `only` names if it has several.

    Nothing is written to disk. Raises InputError if the archive or a file in it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sets = grouped(archive.namelist())
            files = _only({only: sets[only]} if only in sets else sets, path)
            arrays = {key: _member(archive, file) for key, file in files.items()}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except DAMAGE as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is a damaged zip archive ({why}); put a good copy in its place.") from error
    return _assembled(name, arrays, [*files.values()], str(path), classes)


def _member(archive: zipfile.ZipFile, name: str) -> UInt8[np.ndarray, "..."]:
    info = archive.getinfo(name)
    check_member(archive, info, "NIST", "a data set", stored=size_of(archive), largest=None)
    with archive.open(info) as stream:
        return idx.read_stream(stream, name, info.file_size)  # type: ignore[arg-type]


def _only(sets: Files, where: Path) -> dict[tuple[str, str], str]:
    if not sets:
        raise InputError(f"{where} has no IDX files; unpack an archive of pictures and name the folder.")
    if len(sets) > 1:
        names = ", ".join(f"{name}..." for name in sets)
        raise InputError(
            f"{where} has the IDX files of {len(sets)} data sets ({names}); one is needed: of EMNIST name it, as in "
            "--dataset emnist_letters --data-dir FOLDER."
        )
    (files,) = sets.values()
    if missing := [f"{part}-{what}" for part, what in FOUR if (part, what) not in files]:
        raise InputError(f"{where} lacks the IDX files {', '.join(missing)}; it has {', '.join(files.values())}.")
    return files


def _assembled(
    name: str,
    arrays: Mapping[tuple[str, str], UInt8[np.ndarray, "..."]],
    files: Sequence[str],
    source: str,
    classes: Sequence[str] | None = None,
) -> Dataset:
    emnist = EMNIST.match(PurePosixPath(files[0]).name)
    turned = lambda images: images.transpose(0, 2, 1) if emnist else images
    first = 1 if emnist and emnist[1] == "letters" else 0  # whose labels count from 1
    parts = [part for part, what in arrays if what == "images" and (part, "labels") in arrays]
    labels = lambda part: arrays[part, "labels"].astype(int) - first
    splits = {part: split(turned(arrays[part, "images"]), labels(part), f"{part} in {source}") for part in parts}
    train, test, validation, notes = parts_of(splits, source)
    return assemble(name, train, test, classes, source, validation=validation, notes=notes)
