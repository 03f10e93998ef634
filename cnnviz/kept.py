"""Numbers that are kept on disk as they are computed, so that a long table goes on where it was interrupted."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from cnnviz.atomic import atomic_write


@dataclass(frozen=True)
class Kept:
    """A folder of arrays, each under a digest of what they were computed from; None keeps nothing.

    `about` says what all have in common: variables, images, targets, key.
    """

    folder: Path | None
    about: Mapping[str, Any]

    def get(self, what: Mapping[str, Any], compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays that were kept under this description, or else those that `compute` gives, which are kept."""
        path = self.path(what)
        if path is not None and (found := read(path)) is not None:
            return found
        made = {name: np.asarray(array) for name, array in compute().items()}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **made)
        return made

    def path(self, what: Mapping[str, Any]) -> Path | None:
        """The file for this description."""
        text = json.dumps({**self.about, **what}, sort_keys=True, default=str)
        return None if self.folder is None else self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"


def read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays in a file; None if it does not exist or is damaged, so that they are computed again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, BadZipFile, EOFError, KeyError):
        return None


def digest(*arrays: Any) -> str:
    """A digest of arrays' values, shapes and types."""
    made = hashlib.sha256()
    for array in map(np.asarray, arrays):
        made.update(f"{array.shape}{array.dtype}".encode())
        made.update(np.ascontiguousarray(array).data)
    return made.hexdigest()[:16]
