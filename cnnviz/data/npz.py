"""Data sets in one `.npz` file, with the array names of Keras, of MedMNIST, or `images` and `labels`."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from cnnviz.data.dataset import Dataset, assemble, hold_out, split
from cnnviz.errors import InputError

BOTH_PARTS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
ONE_PART = ("images", "labels")
DAMAGE = (ValueError, EOFError, OSError, AttributeError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error)


def read(path: Path, name: str | None = None, classes: tuple[str, ...] | None = None) -> Dataset:
    """The data set in an `.npz` file; without a test split, every sixth image of each class is for testing.

    Raises InputError if the file is damaged, holds pickled objects, or lacks the arrays.
    """
    arrays = _arrays(path)
    names = next((names for names in (*BOTH_PARTS, ONE_PART) if set(names) <= arrays.keys()), None)
    if names is None:
        known = " or ".join(", ".join(names) for names in (*BOTH_PARTS, ONE_PART))
        found = ", ".join(np.load(path, allow_pickle=False).files) or "none"
        raise InputError(f"{path} has the arrays {found}; it needs {known}.")
    pairs = zip(names[::2], names[1::2], strict=True)
    splits = [split(arrays[images], arrays[labels], f"{images} in {path}") for images, labels in pairs]
    train, test = splits if splits[1:] else hold_out(splits[0], str(path))
    return assemble(name or str(path.resolve()), train, test, classes, str(path))


def _arrays(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The data set's arrays in a file; raises InputError if it is damaged, or if loading it would run code."""
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a readable .npz file (it is not a zip archive).")
    wanted = {name for names in (*BOTH_PARTS, ONE_PART) for name in names}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in wanted}
    except DAMAGE as error:
        if "allow_pickle" in str(error):
            raise InputError(f"{path} holds pickled objects, which are never loaded; save plain arrays.") from error
        raise InputError(f"{path} is not a readable .npz file ({error}).") from error
    if junk := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise InputError(f"{path} is not a readable .npz file (not an array: {', '.join(junk)}).")
    return arrays
