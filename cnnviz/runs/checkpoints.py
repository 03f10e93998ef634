"""Checkpoints: trees of arrays as safetensors with a manifest, saved whole or not at all, loaded strictly.

A checkpoint is a directory, written beside its place, fsynced and renamed. Its manifest has the SHA-256 of each file
and of itself, and, from format 2 on, those of the run's other files. Nothing in it can run code.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy

from cnnviz.errors import InputError
from cnnviz.runs import json_files
from cnnviz.runs.json_files import anything, list_of, mapping_of, must_be, record, sha256, whole_number
from cnnviz.runs.records import RECORD
from cnnviz.types import PyTree

MANIFEST, FORMAT = "manifest.json", 2
SEALED = ("config.json", "environment.json")  # files of the run whose SHA-256 is in each manifest
FILE = must_be("the name of a .safetensors file", lambda name: re.fullmatch(r"[\w-]+\.safetensors", name) is not None)
FIRST = {"step": whole_number(0), "history": list_of(RECORD), "files": mapping_of(sha256, FILE), "digest": sha256}
FORMATS = {
    1: record(FIRST, {"format": anything, "best": anything}),  # of before a run's config had a digest
    2: record({**FIRST, "format": anything, "best": list_of(RECORD), "run": record({name: sha256 for name in SEALED})}),
}


def steps(run: Path) -> list[int]:
    """The steps of the checkpoints that a run has, in order."""
    digits = "[0-9]" * 8
    return sorted(int(folder.name.removeprefix("step_")) for folder in (run / "checkpoints").glob(f"step_{digits}"))


def folder_of(run: Path, step: int) -> Path:
    return run / "checkpoints" / f"step_{step:08d}"


def save(folder: Path, trees: Mapping[str, PyTree], facts: Mapping[str, Any]) -> None:
    """Writes the trees and the facts (JSON) as the checkpoint `folder`; on any failure nothing of it remains."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        files = {name: f"{name}.safetensors" for name in trees}
        digests = {file: _write(temporary / file, _serialized(trees[name])) for name, file in files.items()}
        content = json_files.sealed({"format": FORMAT, **facts, "files": digests})
        _write(temporary / MANIFEST, json.dumps(content, indent=1).encode())
        _sync(temporary)
        temporary.chmod(folder.parent.stat().st_mode & 0o777)  # mkdtemp's is for its owner alone
        remove(folder)
        temporary.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove(folder: Path) -> None:
    """Removes the checkpoint, if it is there: at no moment is a part of it in its place."""
    if folder.exists():
        shutil.rmtree(folder.rename(folder.with_name(f".{folder.name}-removed")))


def clear_unfinished(path: Path) -> None:
    """Removes what is left of checkpoints that were being written or removed when their process was killed."""
    for folder in (path / "checkpoints").glob(".step_*"):
        shutil.rmtree(folder, ignore_errors=True)


def manifest(folder: Path) -> dict[str, Any]:
    """The facts of a checkpoint; raises InputError if they are missing, or changed after they were written."""
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder / MANIFEST} is missing; the checkpoint cannot be used without it.")
    return json_files.read(folder / MANIFEST, FORMATS)


def damages(folder: Path) -> list[str]:
    """Every file of a checkpoint that is not what was written, with what is wrong, one sentence each."""
    try:
        files = manifest(folder)["files"]
    except InputError as error:
        return [str(error)]
    return [fault for name, digest in files.items() if (fault := _damage(folder / name, digest))]


def load(folder: Path, name: str, like: PyTree) -> PyTree:
    """The tree `name` of a checkpoint, which must have exactly the paths, shapes and dtypes of `like`.

    A changed file, and every path that is missing, unexpected or different, is named in an InputError.
    """
    file = folder / f"{name}.safetensors"
    wanted = manifest(folder)["files"].get(file.name)
    if fault := _damage(file, wanted):
        raise InputError(fault)
    try:
        arrays = safetensors.numpy.load(file.read_bytes())
    except safetensors.SafetensorError as error:
        raise InputError(f"{file} is no safetensors file: {error}.") from error
    expected = _flat(like)
    if faults := _differences(arrays, expected):
        raise InputError(f"{file} does not fit the model: {'; '.join(faults)}.")
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[path] for path in expected])


def _damage(file: Path, wanted: str | None) -> str | None:
    """What keeps the file from being the one whose SHA-256 is `wanted`."""
    if not file.is_file():
        return f"{file} is missing; the checkpoint cannot be used without it."
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != wanted:
        return f"{file} is damaged: its SHA-256 is {found[:12]}…, the manifest says {str(wanted)[:12]}…."
    return None


def _differences(arrays: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> list[str]:
    """What keeps the arrays from being the expected ones, one phrase a path."""
    describe = lambda leaf: f"{np.dtype(leaf.dtype)}{list(leaf.shape)}"
    faults = [f"{path} is missing" for path in expected if path not in arrays]
    faults += [f"{path} is unexpected" for path in arrays if path not in expected]
    both = [(path, arrays[path], expected[path]) for path in expected if path in arrays]
    return faults + [f"{p} is {describe(a)}, not {describe(e)}" for p, a, e in both if describe(a) != describe(e)]


def _flat(tree: PyTree) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _serialized(tree: PyTree) -> bytes:
    return safetensors.numpy.save(
        {path: np.asarray(leaf, order="C") for path, leaf in _flat(jax.device_get(tree)).items()}
    )


def _write(path: Path, data: bytes) -> str:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(data).hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
