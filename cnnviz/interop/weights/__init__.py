"""Weights without their network, as arrays in nested dicts, from the files that Flax's users save them in."""

from pathlib import Path

from cnnviz.errors import InputError
from cnnviz.interop import WEIGHTS
from cnnviz.interop.foreign import check_not_foreign, is_orbax
from cnnviz.interop.weights.tree import Tree
from cnnviz.registry import resolve


def read_weights(path: str | Path) -> Tree:
    """The arrays in a file or in an Orbax directory, nested by their names.

    Raises InputError if it does not exist, is of an unknown kind, is damaged, or could run code.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; weights are files ({', '.join(WEIGHTS)}) or directories of Orbax.")
    kind = "orbax" if path.is_dir() else path.suffix.lower()
    if kind not in WEIGHTS or (path.is_dir() and not is_orbax(path)):
        check_not_foreign(path, is_alone=False)
    if kind not in WEIGHTS:
        raise InputError(f"{path} is not of a known kind of weights; known are {', '.join(WEIGHTS)}.")
    return resolve(WEIGHTS, kind, "reader of weights")(path)
