"""Weights without their network, as arrays in nested dicts, from the files that Flax's users save them in."""

from pathlib import Path

from cnnviz.errors import InputError
from cnnviz.interop import WEIGHTS
from cnnviz.interop.foreign import check_weights
from cnnviz.interop.weights.tree import Tree
from cnnviz.registry import resolve


def read_weights(path: str | Path) -> Tree:
    """The arrays in a file or in an Orbax directory, nested by their names.

    Raises InputError if it does not exist, is of an unknown kind, is damaged, or could run code.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; weights are files ({', '.join(WEIGHTS)}) or directories of Orbax.")
    check_weights(path)
    return resolve(WEIGHTS, "orbax" if path.is_dir() else path.suffix.lower(), "reader of weights")(path)
