"""Reads data sets that TensorFlow Datasets has prepared on this machine, without TensorFlow."""

import io
import os
import re
from pathlib import Path
from typing import NoReturn

import numpy as np

from cnnviz.data import cache, pictures, records
from cnnviz.data.dataset import Dataset, Split, Unavailable, assemble, split
from cnnviz.data.home import expanded
from cnnviz.data.pictures import Reading
from cnnviz.data.prepared import INFO, Prepared, describe
from cnnviz.data.splits import PARTS, parts_of
from cnnviz.errors import InputError


def root() -> Path | None:
    """The TFDS data directory: `TFDS_DATA_DIR`, or `tensorflow_datasets` in the home directory, if there is one."""
    return expanded(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def directory(name: str, place: Path) -> Path | None:
    """The folder of a data set's newest prepared version in a TFDS directory, or None.

    Without a config in `name`, it is that of the first config in alphabetical order.
    """
    if not is_name(name):
        return None
    path, _, version = name.partition(":")
    folder = place / path
    configs = [folder, *sorted(entry for entry in folder.glob("*") if not _version(entry))]
    prepared = [_newest(config, version) for config in configs]
    return next((found for found in prepared if found), None)


def read(name: str, path: Path) -> Dataset:
    """The data set in a prepared directory (array_record, parquet or tfrecord), in the order of its records.

    Raises InputError if it is damaged or has no train split.
    """
    files = sorted(file for file in path.iterdir() if file.is_file())
    place = str(path.resolve())
    return cache.remembered(name, place, cache.stamp(files), lambda: _decode(name, path))


def is_at(folder: Path) -> bool:
    """Whether a folder is a version of a data set that TFDS prepared."""
    return (folder / INFO).is_file()


def at(path: Path, reading: Reading) -> Dataset:
    """The data set in a prepared directory that was named by its path."""
    return read(str(path.resolve()), path)


def is_name(name: str) -> bool:
    """Whether `name` has the form of a TFDS name: `name`, `name/config`, `name:1.2.3` or `name/config:1.2.3`."""
    return re.fullmatch(r"\w+(/[\w.+-]+)?(:\d+\.\d+\.\d+)?", name) is not None


def is_registered(name: str) -> bool:
    """Whether the installed TFDS knows this name, prepared or not."""
    try:
        import tensorflow_datasets as tfds
    except ImportError:  # it is an extra, and cannot be imported on every system
        return False
    return re.split("[/:]", name)[0] in tfds.list_builders(with_community_datasets=False)


def missing(name: str, places: list[Path]) -> NoReturn:
    """Raises Unavailable for a data set that TFDS knows but that is not prepared here."""
    raise Unavailable(
        f"{name} is known to TFDS and not prepared in {' or '.join(map(str, places))}; where TensorFlow is installed, "
        f"`tfds build {name} --file_format=array_record` prepares it."
    )


def _version(folder: Path) -> tuple[int, ...] | None:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", folder.name)
    return tuple(map(int, found.groups())) if found else None


def _newest(folder: Path, version: str) -> Path | None:
    versions = [entry for entry in folder.glob(version or "*") if _version(entry) and (entry / INFO).is_file()]
    return max(versions, key=lambda entry: _version(entry) or (), default=None)


def _decode(name: str, path: Path) -> Dataset:
    prepared = describe(path)
    if "train" not in prepared.splits:
        raise InputError(f"{path} has the splits {', '.join(prepared.splits) or 'none'}; cnnviz needs train.")
    decoded = {part: _split(prepared, part, f"{path} ({part})") for part in PARTS if part in prepared.splits}
    train, test, validation, said = parts_of({part: own for part, (own, _) in decoded.items()}, str(path))
    said += [note for _, own in decoded.values() for note in own]
    return assemble(name, train, test, prepared.classes, str(path), validation=validation, notes=said)


def _split(prepared: Prepared, part: str, where: str) -> tuple[Split, tuple[str, ...]]:
    """One split, its images decoded by Pillow, and sentences about how they were converted."""
    try:
        read = [example for file, length in prepared.splits[part] for example in _examples(prepared, file, length)]
    except InputError:
        raise
    except Exception as error:  # each format's reader has its own exceptions
        raise InputError(f"{where} cannot be read ({type(error).__name__}: {error}); prepare it again.") from error
    if not read:
        raise InputError(f"{where} is empty; prepare it again.")
    named = ((f"image {index} of {where}", io.BytesIO(encoded)) for index, (encoded, _) in enumerate(read))
    decoded = pictures.decode(named)
    return split(decoded.images, np.array([number for _, number in read]), where), decoded.notes


def _examples(prepared: Prepared, file: Path, length: int) -> list[tuple[bytes, int]]:
    """The examples of one file; raises ValueError unless there are `length` of them."""
    read = list(records.examples(file, prepared.format, prepared.image, prepared.label))
    if len(read) != length:
        raise ValueError(f"{file.name} has {len(read)} of {length} records")
    return read
