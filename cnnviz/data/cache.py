"""What was decoded once: uint8 arrays in `.npy` files that later starts map into memory.

An entry belongs to one place (a folder, a file) and remembers size and time of every file it was decoded from. It is
used only while those are unchanged and its own content still has the fingerprint it was saved under, which takes 40 ms
for 70,000 images; anything else means decoding again. A cache that cannot be written is no error.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.data.dataset import Dataset, Split, fingerprint_of

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
FORMAT = 1


def folder() -> Path:
    """Where cnnviz keeps what it can make again: `CNNVIZ_CACHE`, or `cnnviz` in the user's cache."""
    if chosen := os.environ.get("CNNVIZ_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "cnnviz"


def stamp(files: Iterable[Path]) -> list[list[Any]]:
    """Name, size and time of each file: what tells that none of them was exchanged."""
    return [[str(file), (facts := file.stat()).st_size, facts.st_mtime_ns] for file in files]


def remembered(name: str, place: str, mark: list[Any], decode: Callable[[], Dataset]) -> Dataset:
    """The data set `name` of a place: from the cache if that is whole and has this mark, else decoded and kept."""
    shown = re.sub("[^A-Za-z0-9_.-]", "_", Path(name).name)
    entry = folder() / "data" / f"{shown}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    mark = [FORMAT, place, mark]
    try:
        return _load(entry, name, mark)
    except Exception:  # whatever is wrong with an entry, the remedy is to decode again
        dataset = decode()
    try:
        _save(entry, dataset, mark)
        return _load(entry, name, mark)  # mapped, so that the first start holds no more memory than the second
    except (OSError, ValueError):
        return dataset


def _load(entry: Path, name: str, mark: list[Any]) -> Dataset:
    facts = json.loads((entry / "manifest.json").read_text())
    arrays = [np.asarray(np.load(entry / f"{array}.npy", mmap_mode="r", allow_pickle=False)) for array in ARRAYS]
    train, test, classes = Split(*arrays[:2]), Split(*arrays[2:]), tuple(facts["classes"])
    if facts["mark"] != mark or fingerprint_of(train, test, classes) != facts["fingerprint"]:
        raise ValueError("This is not what was saved.")
    return Dataset(name, train, test, classes, facts["fingerprint"], facts["source"])


def _save(entry: Path, dataset: Dataset, mark: list[Any]) -> None:
    """Writes an entry beside its place and exchanges it for an older one; on any failure nothing of it remains."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=entry.parent))
    try:
        parts = (dataset.train, dataset.test)
        for array, values in zip(
            ARRAYS, (values for part in parts for values in (part.images, part.labels)), strict=True
        ):
            np.save(temporary / f"{array}.npy", values)
        facts = {key: getattr(dataset, key) for key in ("classes", "fingerprint", "source")}
        (temporary / "manifest.json").write_text(json.dumps({**facts, "mark": mark}))
        if entry.exists():
            entry.rename(temporary / "older")
        temporary.rename(entry)
        shutil.rmtree(entry / "older", ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
