"""READERS for models of other frameworks, by file suffix; each returns `(model, variables)` without running code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnviz.registry import resolve

READERS = {
    ".h5": "cnnviz.interop.keras.read:load_keras",
    ".hdf5": "cnnviz.interop.keras.read:load_keras",
    ".keras": "cnnviz.interop.keras.read:load_keras",
}


def load_keras(path: str | Path) -> tuple[Any, Mapping[str, Any]]:
    """The model and the variables of a Keras file, `.h5` or `.keras`; raises InputError if it cannot be read.

    See `cnnviz.interop.keras.read`.
    """
    return resolve(READERS, ".keras", "reader")(path)
