"""The contents of an untrusted HDF5 file as texts and arrays; `hdf5_contents` reads it in another process."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float32

from cnnviz.errors import InputError
from cnnviz.interop import isolated

PROGRAM = Path(__file__).with_name("hdf5_contents.py")
LONGEST_STRUCTURE = 64 * 2**20  # bytes of JSON
SECONDS, BYTES_PER_SECOND = 7, 5_000_000  # wall-clock time on a busy machine; the process limits its CPU time itself
WIDENED = 2  # float16 becomes float32


@dataclass(frozen=True)
class Group:
    """A group of the file, or the file itself, with everything below it."""

    nodes: Mapping[str, Any]
    arrays: Mapping[str, Float32[np.ndarray, "..."]]
    place: str = ""


def read(opened: IO[bytes]) -> Group:
    """The contents of an HDF5 file. Raises InputError if its reader crashes, hangs or wants too much memory."""
    size = os.fstat(opened.fileno()).st_size
    most = LONGEST_STRUCTURE, WIDENED * size
    try:
        text, values = isolated.ask(PROGRAM, opened, SECONDS + size / BYTES_PER_SECOND, most)
    except isolated.Ended as reason:
        raise InputError(f"the file cannot be read, it is damaged or cut off (HDF5 {reason}).") from reason
    try:
        nodes = json.loads(text)
        if not isinstance(nodes, dict) or "" not in nodes or not all(map(_is_node, nodes.values())):
            raise ValueError("something else than places in the file")
        file = Group(nodes, _arrays(nodes, values))
    except (ValueError, RecursionError) as error:
        raise InputError(f"the file cannot be read, it is damaged or cut off (HDF5 gave {error}).") from error
    if "members" not in nodes[""]:
        raise InputError(f"the file {nodes[''].get('fault')}")
    return file


def follow(group: Group, path: str) -> Group | None:
    """The group at `path` below `group`, or None. Raises InputError if a part of the path is damaged or a link."""
    place, node = _node(group, path)
    return Group(group.nodes, group.arrays, place) if node and "members" in node else None


def children(group: Group, path: str) -> list[str]:
    """The names in the group at `path`; an empty list if it does not exist."""
    _, node = _node(group, path)
    return list(node.get("members", [])) if node else []


def text(group: Group, name: str) -> str | None:
    """The attribute `name` as text; None if it is missing or has several texts."""
    found = texts(group, name) or []
    return found[0] if len(found) == 1 else None


def texts(group: Group, name: str) -> list[str] | None:
    """The attribute `name` as a list of texts; None if it is missing. Raises InputError if it cannot be read."""
    found = group.nodes[group.place]["attributes"].get(name)
    if isinstance(found, str):  # its fault
        raise InputError(f"the attribute {name} {found}")
    return found


def array(group: Group, path: str, shape: Sequence[int]) -> Float32[np.ndarray, "..."]:
    """The data set at `path` as float32; raises InputError if it is missing, damaged, or has another shape."""
    place, node = _node(group, path)
    if node is None or "shape" not in node:
        raise InputError(f"there is no data set {path} in the file; its shape would be {tuple(shape)}.")
    if node["shape"] != list(shape):
        raise InputError(
            f"{path} has the shape {tuple(node['shape'])}; the layer's description asks for {tuple(shape)}."
        )
    if "fault" in node:
        raise InputError(f"{path} {node['fault']}")
    return group.arrays[place]


def values(group: Group, path: str) -> Float32[np.ndarray, "..."]:
    """The data set at `path` as float32, of any shape; raises InputError if it is missing or damaged."""
    _, node = _node(group, path)
    return array(group, path, (node or {}).get("shape", ()))


def _node(group: Group, path: str) -> tuple[str, Any]:
    """The place of `path` and the node there, or None. Raises InputError for a fault in a part of the path."""
    place, node = group.place, group.nodes[group.place]
    for part in filter(None, path.split("/")):
        place = f"{place}/{part}"
        node = group.nodes.get(place)
        if node is None:
            break
        if "fault" in node and "shape" not in node:
            raise InputError(f"{path} {node['fault']}")
    return place, node


def _arrays(nodes: Mapping[str, Any], values: bytes) -> dict[str, Float32[np.ndarray, "..."]]:
    """The values of the data sets without a fault, which follow each other in the order of the places."""
    flat, start, arrays = np.frombuffer(values, "<f4"), 0, {}
    for place, node in nodes.items():
        if "shape" in node and "fault" not in node:
            end = start + math.prod(node["shape"])
            arrays[place] = flat[start:end].reshape(node["shape"])
            start = end
    return arrays


def _is_node(node: Any) -> bool:
    """Whether this has the form of a node from `hdf5_contents`."""
    match node:
        case {"shape": list(shape), **fault}:
            return all(type(side) is int and side >= 0 for side in shape) and isinstance(fault.get("fault", ""), str)
        case {"members": list(members), "attributes": dict(attributes)}:
            found = attributes.values()
            return _are_texts(members) and all(isinstance(value, str) or _are_texts(value) for value in found)
        case {"fault": str()}:
            return True
    return False


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
