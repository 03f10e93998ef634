"""Weights in a directory that Orbax has written, read as what it stores them in: Zarr arrays, by TensorStore.

Orbax itself is not asked: its Python interface changes, and what it restores follows what the directory says.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.errors import InputError
from cnnviz.errors.wording import listed
from cnnviz.interop.weights.tree import DTYPES, Arrays, Tree, nested

DRIVERS = {".zarray": "zarr", "zarr.json": "zarr3"}  # by the name of an array's metadata
ITEMS = ("default", "state", "params", "items", "model")  # what users call the tree among a step's parts
MOST_INFLATED = 100  # times the bytes of the directory


def read(path: Path) -> Tree:
    """The tree in a checkpoint of Orbax, or in a step of it.

    Raises InputError if it is not one, leads outside of itself, is damaged, or if TensorStore is not installed.
    """
    size = _checked_size(path)
    root = _root(path)
    try:
        import tensorstore
    except ImportError as error:
        raise InputError(f'{path} is a checkpoint of Orbax, which needs: pip install "cnnviz[orbax]"') from error
    try:
        return nested(_arrays(tensorstore, root, MOST_INFLATED * size + 2**20))
    except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is not a readable checkpoint of Orbax ({why}).") from error


def _checked_size(path: Path) -> int:
    """The bytes of all files; raises InputError for a link that leads outside, or for anything but files."""
    inside, size = path.resolve(), 0
    for folder, folders, files in os.walk(path):
        for place in [Path(folder) / name for name in (*folders, *files)]:
            if place.is_symlink() and not place.resolve().is_relative_to(inside):
                raise InputError(f"{place} is a link that leads out of the checkpoint; put what it names in its place.")
            if not place.is_dir() and not place.is_file():
                raise InputError(f"{place} is neither a file nor a folder; a checkpoint of Orbax has nothing else.")
        size += sum((Path(folder) / name).stat().st_size for name in files)
    return size


def _root(path: Path) -> Path:
    """The folder that holds the arrays: this one, its item, or the item of its only step."""
    if (path / "manifest.ocdbt").exists() or any(path.glob("*/.zarray")) or any(path.glob("*/zarr.json")):
        return path
    inner = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    named = [name for name in (*ITEMS, *inner) if name in inner]
    if steps := sorted(int(name) for name in inner if name.isdecimal()):
        if len(steps) > 1:
            raise InputError(
                f"{path} has the steps {', '.join(map(str, steps))}; name one, such as {path}/{steps[-1]}."
            )
        named = [str(steps[0])]
    elif len(parts := [name for name in inner if _has_arrays(path / name)]) > 1 and not set(inner) & set(ITEMS):
        raise InputError(f"{path} has the parts {listed(parts)}; name one, such as {path}/{parts[0]}.")
    if not named:
        raise InputError(f"{path} is not a checkpoint of Orbax; it has no arrays: give one, or a file of weights.")
    return _root(path / named[0])


def _has_arrays(path: Path) -> bool:
    """Whether arrays lie anywhere in this folder."""
    marks = ("manifest.ocdbt", *DRIVERS)
    return any(name in marks for _, _, files in os.walk(path) for name in files)


def _arrays(tensorstore: Any, root: Path, most: int) -> Arrays:
    """The arrays by name; raises ValueError if they claim more than `most` bytes."""
    files: dict[str, Any] = {"driver": "file", "path": f"{root.resolve()}/"}
    store = {"driver": "ocdbt", "base": files} if (root / "manifest.ocdbt").exists() else files
    keys = [key.decode() for key in tensorstore.KvStore.open(store).result().list().result()]
    found = {}
    for name, _, metadata in sorted(key.rpartition("/") for key in keys):
        if metadata not in DRIVERS or not name:
            continue
        place = {**store, "path": store.get("path", "") + name + "/"}
        opened = tensorstore.open({"driver": DRIVERS[metadata], "kvstore": place}, open=True, read=True).result()
        dtype = opened.dtype.numpy_dtype
        if str(dtype) not in DTYPES:
            raise ValueError(f"{name} has the type {dtype}; numbers are read, and nothing else")
        most -= opened.domain.size * dtype.itemsize if opened.rank else dtype.itemsize
        if most < 0:
            raise ValueError(f"{name}, of shape {opened.shape}, claims more bytes than the files hold")
        found[name.replace("/", ".")] = np.asarray(opened.read().result())
    return found
