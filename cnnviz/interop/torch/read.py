"""Reading the weights in a file of PyTorch's, `.pt`, `.pth` or `.safetensors`, as NumPy arrays by name."""

import re
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path

import numpy as np
import safetensors

from cnnviz.errors import InputError
from cnnviz.interop.torch import legacy, zipped
from cnnviz.interop.torch.checkpoints import state_of, unwrapped
from cnnviz.interop.torch.tensors import Tensor, decoded

TORCHS = (".weight", ".running_mean")  # ends of names that Flax's layers do not give
FLAXS = ("params.", "batch_stats.")
SAFE = {"F64": "Double", "F32": "Float", "F16": "Half", "BF16": "BFloat16", "BOOL": "Bool"}
SAFE |= {"I64": "Long", "I32": "Int", "I16": "Short", "I8": "Char", "U8": "Byte"}


class StateDict(dict[str, np.ndarray]):
    """Arrays by their names in PyTorch, in PyTorch's shapes."""


def is_state_dict(names: Iterable[str]) -> bool:
    """Whether arrays of these names come from PyTorch, not from Flax."""
    names = list(names)
    return any(name.endswith(TORCHS) for name in names) and not any("/" in n or n.startswith(FLAXS) for n in names)


def read_state_dict(path: str | Path) -> StateDict:
    """The arrays in a file that PyTorch or safetensors wrote, by name, in PyTorch's shapes.

    They are in the order of the file, or in that of their names if it is of safetensors, which keeps none.

    Of a checkpoint with more in it, those of its state dict; `module.` before all names, as DataParallel writes it, is
    left out. Dtypes are kept, but bfloat16 becomes float32. Only tensors and plain data are read: nothing is imported
    and nothing is run. Raises InputError if the file is damaged, or is not a state dict.
    """
    path = Path(path)
    try:
        return StateDict(unwrapped(_read(path)))
    except InputError as error:
        raise InputError(f"{path} cannot be read as weights of PyTorch: {error}") from error


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.is_dir():
        raise InputError("it is a folder; weights are saved to one file by torch.save(model.state_dict(), path).")
    if path.exists() and not path.is_file():
        raise InputError("it is a device or a pipe; weights are saved to one file.")
    try:
        with path.open("rb") as file:
            return _of_file(file)
    except OSError as error:
        raise InputError(f"{error.strerror or error}.") from error


def _of_file(file: BufferedReader) -> dict[str, np.ndarray]:
    start = file.read(16)
    file.seek(0)
    if start.startswith(b"PK"):
        with zipped.opened(file) as archive:
            return _arrays(state_of(archive.value), archive)
    if start.startswith(b"\x80"):
        content = legacy.Legacy(file)
        return _arrays(state_of(content.value), content)
    if start[8:9] == b"{":
        return _of_safetensors(file.read())
    raise InputError(f"it is neither what torch.save writes nor safetensors; it starts with {start[:8]!r}.")


def _arrays(state: dict[str, Tensor], content: "zipped.Zipped | legacy.Legacy") -> dict[str, np.ndarray]:
    """Each tensor as a view of its storage, of which each is read once."""
    storages = {}
    for tensor in state.values():
        if tensor.storage not in storages:
            storages[tensor.storage] = content.numbers(tensor.storage)
    return {name: tensor.array(storages[tensor.storage]) for name, tensor in state.items()}


def _of_safetensors(data: bytes) -> dict[str, np.ndarray]:
    try:
        entries = safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        reason = str(error).partition(", expected one of")[0].rstrip(".")
        raise InputError(f"it is not a safetensors file: {reason}.") from error
    if not entries:
        raise InputError("it holds no arrays.")
    arrays = {}
    for name, entry in sorted(entries, key=lambda entry: _natural(entry[0])):
        if entry["dtype"] not in SAFE:
            raise InputError(f"{name} has numbers of the type {entry['dtype']}; they can be {', '.join(SAFE)}.")
        arrays[name] = decoded(f"{SAFE[entry['dtype']]}Storage", entry["data"]).reshape(entry["shape"])
    return arrays


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts numbers in names as numbers: "layers.10" comes after "layers.9"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,9})", name)]
