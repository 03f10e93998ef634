"""Writing pictures and their numbers to files, atomically and with the same bytes each time."""

import csv
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError, unknown
from cnnviz.figures.files import FORMATS
from cnnviz.pictures.picture import Numbers, Picture

USUAL = re.compile(r"[\w@+.]+(/[\w@+.]+)*")  # a layer's name, whose file name is that of no other layer
LONGEST = 120  # bytes of a file's name, of which most systems allow 255


def write(picture: Picture, folder: str | os.PathLike, format: str = "png", data: bool = False) -> list[Path]:
    """Writes the picture, and with `data` its numbers as .npz, .csv or .json; returns the paths.

    Raises InputError if the format is unknown or the folder cannot be created.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    stem = Path(folder) / _file_name(picture.name, picture.subject.get("layer", ""))
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{stem.parent} cannot be a folder for pictures: {error.strerror}.") from error
    written = [picture.save(stem.with_name(f"{stem.name}.{format}"))]
    if data:
        kind = kind_of(picture.numbers)
        written.append(stem.with_name(f"{stem.name}.{kind}"))
        with atomic_write(written[1]) as path:
            WRITERS[kind](path, picture.numbers)
    return written


def kind_of(numbers: Numbers) -> str:
    """The file format for numbers: npz for arrays, csv for flat records, json for everything else."""
    if isinstance(numbers, Mapping):
        return "npz" if all(isinstance(value, np.ndarray) for value in numbers.values()) else "json"
    flat = not any(isinstance(value, Mapping | list | tuple | np.ndarray) for row in numbers for value in row.values())
    return "csv" if flat else "json"


def _file_name(name: str, layer: str = "") -> str:
    """The picture's name without characters that are special in paths, since layers may be called `a/b` or `../c`.

    It ends in a digest of the layer's name if that is not of the usual form, so that `a/b`, `a-b` and `a b` differ.
    """
    shown = re.sub(r"[^\w@.+-]+", "-", name).lstrip(".-") or "picture"
    if (not layer or USUAL.fullmatch(layer)) and len(shown.encode()) <= LONGEST:
        return shown
    digest = hashlib.sha256((layer or name).encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{shown.encode()[:LONGEST].decode(errors='ignore')}~{digest}"


def _write_npz(path: Path, numbers: Mapping[str, np.ndarray]) -> None:
    np.savez_compressed(path, allow_pickle=False, **numbers)


def _write_csv(path: Path, records: list[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for record in records for name in record))
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def _write_json(path: Path, numbers: Any) -> None:
    plain = lambda value: value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
    text = json.dumps(numbers, indent=1, default=plain, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")  # names of folders need not be Unicode


WRITERS = {"npz": _write_npz, "csv": _write_csv, "json": _write_json}
