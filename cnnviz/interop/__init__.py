"""READERS: models of other frameworks by the ending of the file; each gives `(model, variables)`, running no code."""

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
    """The model and the variables of a Keras file, `.h5` or `.keras`; see `cnnviz.interop.keras.read`."""
    return resolve(READERS, ".keras", "reader")(path)
