"""Decoded data sets: uint8 arrays in `.npy` files that later starts memory-map.

An entry belongs to one place (a folder, a file) and records the size and modification time of every file it was decoded
from. It is used only while those are unchanged and its content still has the recorded fingerprint (a check of 40 ms for
70,000 images); otherwise the files are decoded again. A cache that cannot be written is not an error.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.atomic import atomic_write, clear_unfinished
from cnnviz.data.dataset import Dataset, Split, fingerprint_of
from cnnviz.data.home import expanded

SPLITS = ("train", "test", "validation")  # the last one only where a data set has it
FORMAT = 2


def folder() -> Path | None:
    """The folder of everything that cnnviz can make again: `CNNVIZ_CACHE`, or `cnnviz` in the user's cache.

    It is None for a user without a home directory.
    """
    if chosen := os.environ.get("CNNVIZ_CACHE"):
        return expanded(chosen)
    caches = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return caches / "cnnviz" if caches else None


def stamp(files: Iterable[Path]) -> list[list[Any]]:
    """Path, size and modification time of each file; they differ once a file has been replaced."""
    return [[str(file), (facts := file.stat()).st_size, facts.st_mtime_ns] for file in files]


def remembered(name: str, place: str, mark: list[Any], decode: Callable[[], Dataset]) -> Dataset:
    """The data set `name` from a place: the cached one if it is intact and has this mark, else decoded and cached."""
    if (caches := folder()) is None:
        return decode()
    shown = re.sub("[^A-Za-z0-9_.-]", "_", Path(name).name)
    entry = caches / "data" / f"{shown}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    mark = [FORMAT, place, mark]
    try:
        return _load(entry, name, mark)
    except Exception:  # whatever is wrong with an entry, decoding again repairs it
        dataset = decode()
    try:
        _save(entry, dataset, mark)
        return _load(entry, name, mark)  # memory-mapped, so that the first start needs no more memory than later ones
    except (OSError, ValueError):
        return dataset


def _load(entry: Path, name: str, mark: list[Any]) -> Dataset:
    facts = json.loads((entry / "manifest.json").read_text())
    array = lambda part: np.asarray(np.load(entry / f"{part}.npy", mmap_mode="r", allow_pickle=False))
    splits = [Split(array(f"{part}_images"), array(f"{part}_labels")) for part in SPLITS[: facts["splits"]]]
    (train, test, *held), classes = splits, tuple(facts["classes"])
    validation = held[0] if held else None
    if facts["mark"] != mark or fingerprint_of(train, test, classes, validation) != facts["fingerprint"]:
        raise ValueError("The entry is stale or damaged.")
    notes = tuple(facts["notes"])
    return Dataset(name, train, test, classes, facts["fingerprint"], facts["source"], validation, notes)


def _save(entry: Path, dataset: Dataset, mark: list[Any]) -> None:
    """Writes an entry and removes the stale one; `_load` refuses one that is only partly removed."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    clear_unfinished(entry.parent)
    splits = [split for split in (dataset.train, dataset.test, dataset.validation) if split is not None]
    with atomic_write(entry) as temporary:
        temporary.mkdir()
        for part, split in zip(SPLITS, splits, strict=False):
            np.save(temporary / f"{part}_images.npy", split.images)
            np.save(temporary / f"{part}_labels.npy", split.labels)
        facts = {key: getattr(dataset, key) for key in ("classes", "fingerprint", "source", "notes")}
        (temporary / "manifest.json").write_text(json.dumps({**facts, "splits": len(splits), "mark": mark}))
        shutil.rmtree(entry, ignore_errors=True)
