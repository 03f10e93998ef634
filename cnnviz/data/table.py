"""Tables of labels: a CSV or TSV file that says which image, in the same folder or below it, is of which class.

Columns are told apart by their names, or without a line of names by what they hold: first the files, then the labels.
A table may hold the pixels themselves, one column each, as Kaggle's copies of MNIST do.
"""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cnnviz.data import cache, pictures
from cnnviz.data.dataset import Dataset, Split, assemble, check_several, split
from cnnviz.data.pictures import Reading
from cnnviz.data.splits import PART_OF, parts_of
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted, listed
from cnnviz.interop.picture_files import SUFFIXES

FILES = ("file", "filename", "file_name", "filepath", "path", "image", "image_path", "image_id", "img", "id", "name")
LABELS = ("label", "labels", "class", "class_name", "target", "category", "y", "breed", "species", "diagnosis")
PARTS = ("split", "set", "subset", "part", "partition", "fold", "dataset", "data_set")
PLACES = ("", "images", "image", "imgs", "img", "train", "data")  # folders beside the table that are searched
PIXEL = re.compile(r"(pixel|px|p)?_?(\d+|\d+x\d+)")
LONGEST = 2**20  # characters of one value


def at(path: Path, reading: Reading) -> Dataset:
    """The data set of a table; raises InputError if it has no such columns, or names files that are not there."""
    rows = _rows(path)
    if _holds_pixels(rows[0]):
        return _of_pixels(path, rows)
    columns, rows = _columns(path, rows)
    where = [_file(path, row[columns["file"]]) for row in rows]
    labels = [row[columns["label"]].strip() for row in rows]
    classes = _ordered(labels)
    check_several(classes, path)
    parts = [_part(path, row[columns["part"]]) if "part" in columns else "train" for row in rows]
    places = {part: [i for i, own in enumerate(parts) if own == part] for part in dict.fromkeys(parts)}

    def decode() -> Dataset:
        splits, notes = {}, []
        for part, own in places.items():
            decoded = pictures.decode(((str(where[i]), where[i]) for i in own), reading)
            numbers = np.array([classes.index(labels[own[i]]) for i in decoded.kept])
            splits[part] = split(decoded.images, numbers, f"{part} in {path}")
            notes += decoded.notes
        return _assembled(path, splits, classes, [*notes, *reading.notes])

    address = str(path.resolve())
    return cache.remembered(address, f"{address}{reading.key}", cache.stamp([path, *where]), decode)


def _assembled(path: Path, splits: Mapping[str, Split], classes: Sequence[str] | None, notes: list[str]) -> Dataset:
    train, test, validation, said = parts_of(splits, str(path))
    return assemble(str(path.resolve()), train, test, classes, str(path), validation=validation, notes=[*said, *notes])


def _rows(path: Path) -> list[list[str]]:
    """The rows of the table that are not empty, all of one length."""
    csv.field_size_limit(LONGEST)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(4096)
            file.seek(0)
            delimiter = max(",;\t", key=lambda mark: sample.partition("\n")[0].count(mark))
            rows = [row for row in csv.reader(file, delimiter=delimiter) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table in UTF-8 ({error}); save it as CSV.") from error
    if len(rows) < 2:
        raise InputError(f"{path} has {counted(len(rows), 'line')}; a table has one line per image.")
    if odd := next((n for n, row in enumerate(rows, 1) if len(row) != len(rows[0])), None):
        raise InputError(
            f"{path} has {counted(len(rows[odd - 1]), 'value')} in line {odd} and {len(rows[0])} in the first."
        )
    return rows


def _columns(path: Path, rows: list[list[str]]) -> tuple[dict[str, int], list[list[str]]]:
    """The column of each kind, and the rows without that of the names."""
    header = [re.sub("[^a-z0-9]+", "_", cell.strip().lower()).strip("_") for cell in rows[0]]
    kinds = {"file": FILES, "label": LABELS, "part": PARTS}
    found = {kind: next((header.index(n) for n in names if n in header), None) for kind, names in kinds.items()}
    columns = {kind: column for kind, column in found.items() if column is not None}
    if {"file", "label"} <= columns.keys():
        return columns, rows[1:]
    if not columns and len(header) >= 2 and Path(rows[0][0].strip()).suffix.lower() in SUFFIXES:
        return {"file": 0, "label": 1}, rows
    if len(header) == 2 and len(columns) == 1:  # the other one is what it can only be
        ((kind, column),) = columns.items()
        if kind in ("file", "label"):
            return {kind: column, "label" if kind == "file" else "file": 1 - column}, rows[1:]
    raise InputError(
        f"{path} has the columns {listed(rows[0])}; it needs one of files (as {FILES[1]}) and one of labels (as "
        f"{LABELS[0]})."
    )


def _file(table: Path, name: str) -> Path:
    """The picture of this name beside the table or below it; raises InputError if it is elsewhere, or nowhere."""
    root, plain = table.resolve().parent, name.strip().replace("\\", "/")
    places = [root / folder for folder in (*PLACES, table.stem)]
    endings = ["", *([] if Path(plain).suffix.lower() in SUFFIXES else sorted(SUFFIXES))]
    tried = [place / f"{plain}{ending}" for place in places for ending in endings] if plain else []
    file = next((file for file in tried if file.is_file()), None)
    if file is None:
        raise InputError(f"{table} names {name!r}, which is not in {root}; paths must be relative to the table.")
    if ".." in Path(plain).parts or not file.is_relative_to(root):
        raise InputError(f"{table} names {name!r}; only files in its own folder are read.")
    return file


def _part(path: Path, written: str) -> str:
    if (part := PART_OF.get(written.strip().lower())) is None:
        raise InputError(f"{path} has a split {written!r}; the splits are {', '.join(PART_OF)}.")
    return part


def _ordered(labels: Sequence[str]) -> list[str]:
    """The classes in alphabetical order, or in numerical order if all are numbers."""
    classes = sorted(set(labels))
    return sorted(classes, key=int) if all(name.isdecimal() for name in classes) else classes


def _holds_pixels(header: Sequence[str]) -> bool:
    names = [name.strip().lower() for name in header]
    others = [name for name in names if not PIXEL.fullmatch(name)]
    return len(names) > 10 and len(others) == 1 and others[0] in LABELS


def _of_pixels(path: Path, rows: list[list[str]]) -> Dataset:
    """The data set of a table of pixels: square images, gray or RGB."""
    label = next(i for i, name in enumerate(rows[0]) if not PIXEL.fullmatch(name.strip().lower()))
    try:
        values = np.array(rows[1:], dtype=np.float64)
    except ValueError as error:
        why = f"{path} has a value that is not a number ({error})"
        raise InputError(f"{why}; a table of pixels has only numbers below its header.") from error
    pixels, channels = np.delete(values, label, axis=1), 1
    if (side := math.isqrt(pixels.shape[1])) ** 2 != pixels.shape[1]:
        side, channels = math.isqrt(pixels.shape[1] // 3), 3
    if side * side * channels != pixels.shape[1] or not ((pixels >= 0) & (pixels <= 255) & (pixels % 1 == 0)).all():
        found = f"{pixels.shape[1]:,} pixels per line, from {pixels.min():g} to {pixels.max():g}"
        raise InputError(f"{path} has {found}; they must be integers from 0 to 255, of square images.")
    images = pixels.astype(np.uint8).reshape(-1, side, side, channels)
    return _assembled(path, {"train": split(images, values[:, label].astype(int), str(path))}, None, [])
