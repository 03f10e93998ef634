"""Weights in an `.npz` file of NumPy's: arrays by names such as `params/conv/kernel`."""

import zipfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from cnnviz.errors import InputError
from cnnviz.interop.archives import DAMAGE, array, check_member, check_npz, is_array, size_of, why_damaged
from cnnviz.interop.weights.tree import Tree, nested

MOST = 2**16  # arrays


def read(path: Path) -> Tree:
    """The tree in a file; raises InputError if it is damaged, or if loading it would run code."""
    found = arrays(path)
    try:
        return nested(found)
    except ValueError as error:
        raise why_damaged(path, error) from error


def arrays(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The arrays in a file by name; raises InputError if it is damaged, or if loading it would run code."""
    check_npz(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return dict(_arrays(archive))
    except InputError as error:
        raise InputError(f"{path} is not a readable .npz file: {error}") from error
    except DAMAGE as error:
        raise why_damaged(path, error) from error


def _arrays(archive: zipfile.ZipFile):
    infos = archive.infolist()
    if len(infos) > MOST:
        raise ValueError(f"it has {len(infos)} arrays")
    total = sum(info.file_size for info in infos)
    for info in infos:
        check_member(archive, info, "NumPy", "weights", stored=size_of(archive), largest=None)
        if total > 100 * size_of(archive) + 2**20:
            raise ValueError(f"it claims {total} bytes in {size_of(archive)}")
        if not is_array(archive, info):
            raise ValueError(f"{info.filename} is not an array")
        yield info.filename.removesuffix(".npy"), _typed(array(archive, info))


def _typed(found: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """The array; in bfloat16 if it has two raw bytes per value, as `np.savez` writes that type, unknown to NumPy."""
    return found.view(jnp.bfloat16) if found.dtype == np.dtype("V2") else found
