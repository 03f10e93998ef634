"""Checkpoints: trees of arrays as safetensors files with a manifest, written atomically and loaded strictly.

A checkpoint is a directory. Its manifest has the SHA-256 of each of its files and of itself and, from format 2 on, of
the run's config.json and environment.json. Loading a checkpoint runs no code from it.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy

from cnnviz import atomic
from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.interop.place import check_listed
from cnnviz.interop.weights.safetensors import serialized
from cnnviz.interop.weights.tree import named_leaves
from cnnviz.runs import inside, json_files
from cnnviz.runs.json_files import anything, list_of, mapping_of, maybe, must_be, record, sha256, text, whole_number
from cnnviz.runs.records import RECORD
from cnnviz.types import PyTree

MANIFEST, FORMAT = "manifest.json", 2
SEALED = ("config.json", "environment.json")  # each manifest has their SHA-256
FILE = must_be("the name of a .safetensors file", lambda name: re.fullmatch(r"[\w-]+\.safetensors", name) is not None)
FIRST = {"step": whole_number(0), "history": list_of(RECORD), "files": mapping_of(sha256, FILE), "digest": sha256}
FORMATS = {
    1: record(FIRST, {"format": anything, "best": anything}),  # before a manifest had the digest of the run's config
    2: record(
        {**FIRST, "format": anything, "best": list_of(RECORD), "run": record({name: sha256 for name in SEALED})},
        {"model": record({"class": text, "options": mapping_of(anything), "source": maybe(sha256)})},
    ),
}


def steps(run: Path) -> list[int]:
    """The steps of a run's checkpoints, ascending; raises InputError if a checkpoint or their folder is a link."""
    check_listed(_folder(run))
    folders = list(_folder(run).glob(f"step_{'[0-9]' * 8}"))
    for folder in folders:
        inside.check(folder)
    return sorted(int(folder.name.removeprefix("step_")) for folder in folders)


def identities(run: Path) -> list[tuple[str, int, int]]:
    """The name, inode and time of each checkpoint, which change if one is saved, replaced or removed."""
    entries = (run / "checkpoints").glob("step_*")
    return sorted((entry.name, found.st_ino, found.st_mtime_ns) for entry in entries if (found := _stat(entry)))


def folder_of(run: Path, step: int) -> Path:
    """The directory of the checkpoint at a step, which need not exist."""
    return run / "checkpoints" / f"step_{step:08d}"


def _folder(run: Path) -> Path:
    """The folder of a run's checkpoints; raises InputError if it is a link."""
    inside.check(folder := run / "checkpoints")
    return folder


def save(folder: Path, trees: Mapping[str, PyTree], facts: Mapping[str, Any]) -> None:
    """Writes the trees of arrays and the facts (JSON) as the checkpoint `folder`, which replaces an earlier one.

    On any failure an earlier one stays. Raises OSError if the disk is full or the directory cannot be written to.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder, replace_folder=True) as temporary:
        temporary.mkdir()
        temporary.chmod(folder.parent.stat().st_mode & 0o777)
        digests = {}
        for name, data in files_of(trees).items():
            (temporary / name).write_bytes(data)
            digests[name] = hashlib.sha256(data).hexdigest()
        content = json_files.sealed({"format": FORMAT, **facts, "files": digests})
        (temporary / MANIFEST).write_text(json.dumps(content, indent=1))


def files_of(trees: Mapping[str, PyTree]) -> dict[str, bytes]:
    """The content of the safetensors file of each tree, by the file's name."""
    return {f"{name}.safetensors": serialized(tree) for name, tree in trees.items()}


def remove(folder: Path) -> None:
    """Removes the checkpoint if it exists; it is renamed first, so that `folder` is never incomplete."""
    inside.check(folder)
    if folder.exists():
        shutil.rmtree(folder.rename(folder.with_name(f".{folder.name}-removed")))


def clear_unfinished(path: Path) -> None:
    """Removes files that a killed process left in a run and its parent folder while it wrote or removed them."""
    for folder in (path.parent, path):
        atomic.clear_unfinished(folder)
    for folder in _folder(path).glob(".step_*"):
        shutil.rmtree(folder, ignore_errors=True)


def manifest(folder: Path) -> dict[str, Any]:
    """The content of a checkpoint's manifest; raises InputError if it is missing or was changed after writing."""
    try:
        if inside.is_file(folder / MANIFEST):
            return json_files.read(folder / MANIFEST, FORMATS)
    except FileNotFoundError:  # removed in between
        pass
    raise _missing(folder / MANIFEST)


def damages(folder: Path, names: Iterable[str] | None = None) -> list[str]:
    """One sentence for each file of a checkpoint, or each of `names`, that is missing or was changed after writing."""
    faults = []
    try:
        files = manifest(folder)["files"]
    except InputError as error:
        return [str(error)]
    for name in files if names is None else names:
        try:
            _read(folder / name, files.get(name))
        except InputError as error:
            faults.append(str(error))
    return faults


def load(folder: Path, name: str, like: PyTree) -> PyTree:
    """The tree `name` of a checkpoint, as NumPy arrays in the structure of `like`.

    Raises InputError if the file was changed after it was written, or if its paths, shapes and dtypes are not exactly
    those of `like`; the message names every path that differs.
    """
    file = folder / f"{name}.safetensors"
    data = _read(file, manifest(folder)["files"].get(file.name))
    try:
        arrays = safetensors.numpy.load(data)
    except safetensors.SafetensorError as error:
        raise InputError(f"{file} is not a safetensors file: {error}.") from error
    expected = named_leaves(like)
    if faults := _differences(arrays, expected):
        raise InputError(f"{file} does not fit the model: {'; '.join(faults)}.")
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[path] for path in expected])


def _read(file: Path, wanted: str | None) -> bytes:
    """The content of the file; raises InputError if it is missing or its SHA-256 is not `wanted`."""
    try:
        data = file.read_bytes() if inside.is_file(file) else None
    except FileNotFoundError:  # removed in between
        data = None
    if data is None:
        raise _missing(file)
    if (found := hashlib.sha256(data).hexdigest()) != wanted:
        said = str(wanted)[:12]
        raise InputError(f"{file} is damaged: its SHA-256 is {found[:12]}…, the manifest says {said}….")
    return data


def _missing(file: Path) -> InputError:
    return InputError(f"{file} is missing; the checkpoint cannot be used without it.")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:  # removed in between
        return None


def _differences(arrays: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> list[str]:
    """One phrase for each path that is missing, unexpected, or has another shape or dtype than expected."""
    describe = lambda leaf: f"{np.dtype(leaf.dtype)}{list(leaf.shape)}"
    faults = [f"{path} is missing" for path in expected if path not in arrays]
    faults += [f"{path} is unexpected" for path in arrays if path not in expected]
    both = [(path, arrays[path], expected[path]) for path in expected if path in arrays]
    return faults + [f"{p} is {describe(a)}, not {describe(e)}" for p, a, e in both if describe(a) != describe(e)]
