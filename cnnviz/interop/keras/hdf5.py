"""Reading an HDF5 file that nobody vouches for: only what lies in the file itself, and never more than it holds.

HDF5 can point out of the file (external and soft links, external storage, virtual data sets) and can claim arrays of
any size without storing them. None of that is followed; a data set's claims are compared with what is due before a
byte of it is read.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from itertools import count, takewhile

import h5py
import h5py.h5l
import numpy as np
from jaxtyping import Float32

from cnnviz.errors import InputError


@contextmanager
def open_hdf5(file: BufferedReader | BytesIO) -> Iterator[h5py.File]:
    """The HDF5 file, open for reading; what h5py cannot read of it is an InputError.

    It is an open file and no path, since HDF5 cannot always close a damaged one, and would give it again for its path.
    """
    with _readable("the file"), h5py.File(file, "r") as opened:
        yield opened


def follow(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
    """What lies at `path` below `group`, or None; a link that may lead out of the file is an InputError."""
    here: h5py.Group | h5py.Dataset | None = group
    for part in filter(None, path.split("/")):
        with _readable(path):
            here = _step(here, part, path) if isinstance(here, h5py.Group) else None
    return here


def children(group: h5py.Group, path: str) -> list[str]:
    """The names in the group at `path`, without following any; none where there is no such group."""
    found = follow(group, path)
    with _readable(path):
        return list(found) if isinstance(found, h5py.Group) else []


def text(group: h5py.Group, name: str) -> str | None:
    """The attribute `name` as text; None where there is none."""
    with _readable(f"the attribute {name}"):
        value = group.attrs.get(name)
        value = value.item() if isinstance(value, np.ndarray | np.generic) and value.size == 1 else value
        value = value.decode() if isinstance(value, bytes) else value
    return value if isinstance(value, str) else None


def texts(group: h5py.Group, name: str) -> list[str] | None:
    """The attribute `name` as a list of texts; None where there is none.

    A list that is too long for one attribute is in several, `name0`, `name1` and so on.
    """
    with _readable(f"the attribute {name}"):
        numbered = takewhile(lambda part: part in group.attrs, (f"{name}{i}" for i in count()))
        parts = [name] if name in group.attrs else list(numbered)
        values = [value for part in parts for value in np.ravel(np.asarray(group.attrs[part])).tolist()]
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values] if parts else None


def array(group: h5py.Group, path: str, shape: Sequence[int]) -> Float32[np.ndarray, "..."]:
    """The data set of floats at `path`, which has this shape, as float32."""
    dataset = follow(group, path)
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(f"there is no data set {path} in the file; its shape would be {tuple(shape)}.")
    with _readable(path):
        _check(dataset, path, tuple(shape))
        return np.asarray(dataset[()], np.float32)


def _step(group: h5py.Group, name: str, path: str) -> h5py.Group | h5py.Dataset | None:
    links = group.id.links
    if not links.exists(name.encode()):
        return None
    if links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise InputError(f"{path} is a link, which may lead out of the file; weights must lie in the file itself.")
    found = group[name]
    return found if isinstance(found, h5py.Group | h5py.Dataset) else None


def _check(dataset: h5py.Dataset, path: str, shape: tuple[int, ...]) -> None:
    """An InputError unless the data set holds floats of this shape, in the file itself."""
    if dataset.is_virtual or dataset.external:
        raise InputError(f"{path} keeps its values in another file; weights must lie in the file itself.")
    if dataset.shape != shape:
        raise InputError(f"{path} has the shape {dataset.shape}; the layer's description asks for {shape}.")
    if dataset.dtype.kind != "f":
        raise InputError(f"{path} holds {dataset.dtype}; weights are floats.")
    if dataset.id.get_create_plist().get_nfilters():
        raise InputError(
            f"{path} is compressed or filtered; Keras's weights are stored as they are (h5repack -f NONE)."
        )
    claimed, stored = math.prod(shape) * dataset.dtype.itemsize, dataset.id.get_storage_size()
    if claimed > stored:
        raise InputError(f"{path} claims {claimed} bytes and stores {stored}; a weight's values are all in the file.")


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Has what h5py says of a damaged file be an InputError."""
    try:
        yield
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        reason = next(iter(str(error).strip("'\"").splitlines()), "nothing")
        raise InputError(f"{what} cannot be read, it is damaged or cut off ({reason}).") from error
