"""Networks and weights in files, read without running code.

READERS, by suffix, give `(model, variables)` of a model of another framework. WEIGHTS, by suffix, give arrays in nested
dicts, or those of PyTorch by their names there, which a model that the user names is filled with; "orbax" reads a
directory.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnviz.registry import resolve

READERS = {
    ".h5": "cnnviz.interop.keras.read:load_keras",
    ".hdf5": "cnnviz.interop.keras.read:load_keras",
    ".keras": "cnnviz.interop.keras.read:load_keras",
}

WEIGHTS = {
    ".msgpack": "cnnviz.interop.weights.msgpack:read",
    ".safetensors": "cnnviz.interop.weights.safetensors:read",
    ".npz": "cnnviz.interop.weights.npz:read",
    ".h5": "cnnviz.interop.keras.arrays:read",
    ".hdf5": "cnnviz.interop.keras.arrays:read",
    ".keras": "cnnviz.interop.keras.arrays:read",
    ".pt": "cnnviz.interop.torch.read:read_state_dict",
    ".pth": "cnnviz.interop.torch.read:read_state_dict",
    ".tar": "cnnviz.interop.torch.read:read_state_dict",
    ".bin": "cnnviz.interop.torch.read:read_state_dict",
    "orbax": "cnnviz.interop.weights.orbax:read",
}


def load_keras(path: str | Path, weights: str | Path | None = None) -> tuple[Any, Mapping[str, Any]]:
    """The model and the variables of a Keras file, `.h5` or `.keras`; raises InputError if it cannot be read.

    `weights` is a file of `save_weights`, read instead of the model's own. See `cnnviz.interop.keras.read`.
    """
    return resolve(READERS, ".keras", "reader")(path, weights)
