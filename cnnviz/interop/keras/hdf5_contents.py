"""A program that reads an HDF5 file from standard input and writes JSON and float32 values to standard output.

HDF5's C code can crash, hang or take all memory on a damaged file, so it runs in a separate process with limits, which
imports h5py and neither JAX nor cnnviz. `hdf5.py` starts it and reads the answer: a line with two sizes in bytes, a
JSON object that maps each place in the file to its node, and the values of the data sets in the same order.

HDF5 can refer to other files (external and soft links, external storage, virtual data sets) and can claim arrays of any
size without storing them. Neither is followed: only values stored in the file are read. A place that cannot be read has
a "fault", the end of a sentence, which matters only if that place is asked for.
"""

import json
import math
import os
import sys
from contextlib import suppress
from itertools import count, takewhile
from typing import Any, BinaryIO

import h5py
import h5py.h5l
import h5py.h5o
import numpy as np

try:
    import resource
except ImportError:  # Windows, where only the time limit of the process that asks holds
    resource = None

Node = dict[str, Any]  # {"attributes", "members"} of a group, {"shape"} of a data set, or of either a "fault"
GROUPS = ("model_weights", "layers", "_layer_checkpoint_dependencies")  # and not the optimizer's state
ATTRIBUTES = ("model_config", "keras_version", "backend", "layer_names", "weight_names")
WIDENED = 2  # float16 becomes float32
BFLOAT16 = np.dtype("V2")  # HDF5 has no such type
SECONDS, BYTES_PER_SECOND, MEMORY = 1, 50_000_000, 2**29  # more of each for a larger file


class Fault(Exception):
    """What is wrong with a place in the file: the end of a sentence that begins with the place's name."""


def main() -> None:
    """Writes the answer for the file on standard input, within limits, and ends the process."""
    size = os.fstat(0).st_size
    _limit(size)
    nodes, arrays = contents(sys.stdin.buffer, WIDENED * size)
    text = json.dumps(nodes).encode()
    out = sys.stdout.buffer
    out.write(b"%d %d\n" % (len(text), sum(array.nbytes for array in arrays)))
    out.write(text)
    for array in arrays:
        out.write(array.data)
    out.flush()
    os._exit(0)  # HDF5 cannot always close a damaged file


def contents(opened: BinaryIO, most: int) -> tuple[dict[str, Node], list[np.ndarray]]:
    """The node at each place in the file, and the values of its data sets, at most `most` bytes in total."""
    try:
        file = h5py.File(opened, "r")
        nodes = {"": _group(file)}
    except Exception as error:  # h5py has no exception class for damaged files
        return {"": {"fault": _fault(error)}}, []
    arrays: list[np.ndarray] = []
    seen: set[int] = set()
    listed = nodes[""]["attributes"].get("layer_names", [])  # of weights without a model
    names = [name.split("/")[0] for name in listed] if isinstance(listed, list) else []
    roots = dict.fromkeys([*GROUPS, *names])
    waiting: list[tuple[Any, str, str]] = [(file, "", name) for name in roots if name in nodes[""]["members"]]
    while waiting:
        group, place, name = waiting.pop()
        place = f"{place}/{name}"
        try:
            item = _member(group, name, seen)
            node, array = (_group(item), None) if isinstance(item, h5py.Group) else _dataset(item, most)
        except Exception as error:
            item, node, array = None, {"fault": _fault(error)}, None
        nodes[place] = node
        if array is not None:
            arrays.append(array)
            most -= array.nbytes
        waiting += [(item, place, inner) for inner in node.get("members", [])]
    return nodes, arrays


def _member(group: h5py.Group, name: str, seen: set[int]) -> h5py.Group | h5py.Dataset:
    """The group's member of this name; raises Fault if it is a link or was read already."""
    if group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise Fault("is a link, which may lead out of the file; weights must lie in the file itself.")
    item = group[name]
    if not isinstance(item, h5py.Group | h5py.Dataset):
        raise Fault("is neither a group nor a data set.")
    address = h5py.h5o.get_info(item.id).addr
    if address in seen:  # a group in itself, or one data set as the weights of many layers
        raise Fault("lies at two places in the file; Keras writes each weight once.")
    seen.add(address)
    return item


def _group(group: h5py.Group) -> Node:
    attributes = {name: found for name in ATTRIBUTES if (found := _texts(group, name)) is not None}
    # a name with a slash is a path, which could go through a link
    return {"attributes": attributes, "members": [name for name in group if name and "/" not in name and name != "."]}


def _texts(group: h5py.Group, name: str) -> list[str] | str | None:
    """The attribute as a list of texts, or its fault as a text; None if it is missing or is not text.

    A list that is too long for one attribute is split into several, `name0`, `name1` and so on.
    """
    try:
        numbered = takewhile(lambda part: part in group.attrs, (f"{name}{i}" for i in count()))
        parts = [name] if name in group.attrs else list(numbered)
        values = [value for part in parts for value in np.ravel(np.asarray(group.attrs[part])).tolist()]
        texts = [value.decode() if isinstance(value, bytes) else value for value in values]
    except Exception as error:
        return _fault(error)
    return texts if parts and all(isinstance(text, str) for text in texts) else None


def _dataset(dataset: h5py.Dataset, most: int) -> tuple[Node, np.ndarray | None]:
    """Its shape, and its values if they are floats stored in the file, at most `most` bytes.

    Raises Fault if it keeps its values in another file or has none.
    """
    if dataset.is_virtual or dataset.external:  # even the shape of a virtual one may come from another file
        raise Fault("keeps its values in another file; weights must lie in the file itself.")
    if dataset.shape is None:
        raise Fault("holds nothing; a weight has values.")
    if wrong := _wrong(dataset, dataset.shape, most):
        return {"shape": dataset.shape, "fault": wrong}, None
    return {"shape": dataset.shape}, _float32(np.asarray(dataset[()]))


def _float32(values: np.ndarray) -> np.ndarray:
    """The values as float32; those of bfloat16 are its upper halves."""
    if values.dtype != BFLOAT16:
        return np.asarray(values, "<f4", order="C")
    return (np.ascontiguousarray(values).view("<u2").astype("<u4") << 16).view("<f4")


def _wrong(dataset: h5py.Dataset, shape: tuple[int, ...], most: int) -> str | None:
    if dataset.dtype.kind != "f" and dataset.dtype != BFLOAT16:
        return f"holds {dataset.dtype}; weights are floats."
    if dataset.id.get_create_plist().get_nfilters():
        return "is compressed or filtered; Keras's weights are stored as they are (h5repack -f NONE)."
    claimed, stored = math.prod(shape) * dataset.dtype.itemsize, min(most, dataset.id.get_storage_size())
    if claimed > stored:
        return f"claims {claimed} bytes and stores {stored}; a weight's values are all in the file."
    return None


def _fault(error: Exception) -> str:
    if isinstance(error, Fault):
        return str(error)
    reason = next(iter(str(error).strip("'\"").splitlines()), "nothing")
    return f"cannot be read, it is damaged or cut off ({reason})."


def _limit(size: int) -> None:
    """Limits memory and time from now on, and forbids core dumps, writing files and starting processes."""
    if resource is None:
        return
    seconds = math.ceil(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) + SECONDS + size / BYTES_PER_SECOND)
    memory = _reserved(resource.getpagesize()) + MEMORY + 4 * size
    limits = {"AS": memory, "CPU": seconds, "CORE": 0, "FSIZE": 0, "NPROC": 0}
    for name, value in limits.items():
        with suppress(AttributeError, ValueError, OSError):  # not on every system, and limits cannot be raised
            kind = getattr(resource, f"RLIMIT_{name}")
            resource.setrlimit(kind, (value, value + 1 if name == "CPU" else value))  # SIGXCPU tells it from a kill


def _reserved(page: int) -> int:
    """The address space that the process has reserved so far."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * page
    except OSError:
        return 2**30


if __name__ == "__main__":
    try:
        main()
    finally:
        os._exit(70)  # any other end than 1, which is Python's if an import fails
