"""Numbers that are kept on disk as they are computed, so that a second command reads them and a long one goes on."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.interop.archives import DAMAGE

DIGEST = "sha256"  # the name of the entry with the digest of all others


@dataclass(frozen=True)
class Kept:
    """A folder of arrays, each under a digest of what they were computed from; None keeps nothing.

    `about` says what all have in common: variables, images, targets, key. What is damaged is computed again, which is
    told to `note`; in a folder that cannot be written nothing is kept.
    """

    folder: Path | None
    about: Mapping[str, Any]
    note: Callable[[str], object] = lambda line: None

    def get(self, what: Mapping[str, Any], compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays that were kept under this description, or else those that `compute` gives, which are kept."""
        path = self.path(what)
        if path is not None and path.is_file():
            if (found := read(path)) is not None:
                return found
            self.note(f"{path} is damaged; its numbers are computed again.")
        made = {name: np.asarray(array) for name, array in compute().items()}
        if path is not None:
            self._write(path, made)
        return made

    def path(self, what: Mapping[str, Any]) -> Path | None:
        """The file for this description."""
        text = json.dumps({**self.about, **what}, sort_keys=True, default=str)
        return None if self.folder is None else self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"

    def _write(self, path: Path, made: Mapping[str, np.ndarray]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **{**made, DIGEST: np.array(digest(dict(made)))})
        except OSError as error:
            self.note(f"{path.parent} cannot be written ({error.strerror}); the numbers are not kept.")


def read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays in a file; None if it does not exist or is damaged, so that they are computed again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
            return found if str(found.pop(DIGEST)) == digest(dict(found)) else None
    except DAMAGE:
        return None


def digest(*trees: Any) -> str:
    """The SHA-256 of the arrays in these trees: their names, shapes, types and values."""
    made = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(trees):
        is_key = jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.prng_key)  # of an NNX model's dropout
        values = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        made.update(f"{jax.tree_util.keystr(path)} {values.dtype} {values.shape}".encode())
        made.update(np.ascontiguousarray(values).tobytes())
    return made.hexdigest()
