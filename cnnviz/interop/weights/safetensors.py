"""Weights in a `.safetensors` file: names such as `params/conv/kernel` or `conv.kernel`, and arrays."""

from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
import safetensors
import safetensors.numpy

from cnnviz.errors import InputError
from cnnviz.interop.torch.read import is_state_dict, read_state_dict
from cnnviz.interop.weights.tree import DTYPES, Arrays, Tree, content, named_leaves, nested
from cnnviz.types import PyTree

CODES = {"BOOL": "bool", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}
for letter, kind in (("I", "int"), ("U", "uint"), ("F", "float"), ("C", "complex")):
    CODES |= {f"{letter}{bits}": f"{kind}{bits}" for bits in (8, 16, 32, 64) if f"{kind}{bits}" in DTYPES}


def read(path: Path) -> Tree:
    """The tree in a file, or the state dict if its names are PyTorch's; raises InputError if it is damaged."""
    try:
        found = arrays(path)
        return read_state_dict(path) if is_state_dict(found) else nested(found)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} has names that no tree has: {error}.") from error


def serialized(tree: PyTree, metadata: Mapping[str, str] | None = None) -> bytes:
    """A tree of arrays as the bytes of a file, by names such as params/conv/kernel; the same bytes each time."""
    leaves = named_leaves(jax.device_get(tree))
    found = {name: np.asarray(leaf, order="C") for name, leaf in leaves.items()}
    return safetensors.numpy.save(found, None if metadata is None else dict(metadata))


def arrays(path: Path) -> Arrays:
    """The arrays of a file by name, as it has them; raises InputError if it is damaged."""
    data = content(path)
    try:
        found = safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        raise InputError(f"{path} is not a readable .safetensors file ({error}).") from error
    if others := sorted({tensor["dtype"] for _, tensor in found} - set(CODES)):
        raise InputError(f"{path} has arrays of type {others[0]}; types that can be read are {', '.join(CODES)}.")
    return {
        name: np.frombuffer(tensor["data"], DTYPES[CODES[tensor["dtype"]]]).reshape(tensor["shape"])
        for name, tensor in found
    }
