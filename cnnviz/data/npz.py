"""Data sets in one `.npz` file, with the array names of Keras, of MedMNIST, or `images` and `labels`."""

import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from cnnviz.data.dataset import Dataset, assemble, hold_out, split
from cnnviz.errors import InputError
from cnnviz.interop.archives import DAMAGE, array, check_member, is_array, size_of, why_damaged

BOTH_PARTS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
ONE_PART = ("images", "labels")
WANTED = [name for names in (*BOTH_PARTS, ONE_PART) for name in names]


def read(path: Path, name: str | None = None, classes: tuple[str, ...] | None = None) -> Dataset:
    """The data set in an `.npz` file; without a test split, every sixth image of each class is for testing.

    Raises InputError if the file is damaged, holds pickled objects, or lacks the arrays.
    """
    arrays = _arrays(path)
    names = next((names for names in (*BOTH_PARTS, ONE_PART) if set(names) <= arrays.keys()), None)
    if names is None:
        known = " or ".join(", ".join(names) for names in (*BOTH_PARTS, ONE_PART))
        with zipfile.ZipFile(path) as archive:
            found = ", ".join(name.removesuffix(".npy") for name in archive.namelist())
        raise InputError(f"{path} has the arrays {found or 'none'}; it needs {known}.")
    pairs = zip(names[::2], names[1::2], strict=True)
    splits = [split(arrays[images], arrays[labels], f"{images} in {path}") for images, labels in pairs]
    train, test = splits if splits[1:] else hold_out(splits[0], str(path))
    return assemble(name or str(path.resolve()), train, test, classes, str(path))


def _arrays(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The data set's arrays in a file; raises InputError if it is damaged, or if loading it would run code."""
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a readable .npz file (it is not a zip archive).")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [(name, info) for name in WANTED for info in _infos(archive, name)]
            if junk := [name for name, info in members if not is_array(archive, info)]:
                raise ValueError(f"not an array: {', '.join(junk)}")
            return {name: array(archive, info) for name, info in members}
    except InputError as error:
        raise InputError(f"{path} is not a readable .npz file: {error}") from error
    except DAMAGE as error:
        raise why_damaged(path, error) from error


def _infos(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    """The member that stores the array of this name, if there is one; raises InputError if it must not be unpacked."""
    found = next((stored for stored in (f"{name}.npy", name) if stored in archive.namelist()), None)
    if found is None:
        return []
    # out of all bytes, not only its own, since sorted labels are stored in very few
    check_member(archive, info := archive.getinfo(found), "NumPy", "a data set", stored=size_of(archive), largest=None)
    return [info]
