"""The zip archive that torch.save writes since PyTorch 1.6: a pickle, and a member for each storage.

weights/data.pkl    the pickle, which refers to storages by key
weights/byteorder   "little" or "big"
weights/data/0      the numbers of the storage "0", uncompressed
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import Any, Literal

import numpy as np

from cnnviz.errors import InputError
from cnnviz.interop.archives import check_member, size_of
from cnnviz.interop.torch.pickled import ADVICE, LARGEST, read_pickle
from cnnviz.interop.torch.tensors import Storage, decoded

PICKLE = re.compile(r"([^/]+)/data\.pkl")
KEY = re.compile(r"[0-9]{1,20}")
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError)


class Zipped:
    """The value that an archive's pickle holds, and the numbers of its storages."""

    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive
        self.root = _root(archive.namelist())
        self.unread = size_of(archive)  # storages are stored apart and uncompressed, so all together are no larger
        self.order: Literal["<", ">"] = ">" if self._is_big_endian() else "<"
        self.value: Any = read_pickle(io.BytesIO(self._bytes("data.pkl", LARGEST))).value

    def numbers(self, storage: Storage) -> np.ndarray:
        """The numbers of a storage; raises InputError if the archive lacks them or has fewer."""
        info = self.archive.NameToInfo.get(f"{self.root}/data/{storage.key}")
        if not KEY.fullmatch(storage.key) or info is None:
            raise InputError(f"a tensor's storage, {storage.key[:20]!r}, is not in the archive.")
        if (size := info.file_size) != storage.nbytes:
            raise InputError(f"the storage {storage.key} has {size} bytes; its tensor needs {storage.nbytes}.")
        self.unread -= storage.nbytes
        if self.unread < 0:
            raise InputError("its storages claim more bytes than the file has.")
        data = self._bytes(f"data/{storage.key}", storage.nbytes)
        if len(data) != storage.nbytes:
            raise InputError(f"the storage {storage.key} is cut off.")
        return decoded(storage.kind, data, self.order)

    def _is_big_endian(self) -> bool:
        return f"{self.root}/byteorder" in self.archive.NameToInfo and self._bytes("byteorder", 16) == b"big"

    def _bytes(self, name: str, largest: int) -> bytes:
        info = self.archive.getinfo(f"{self.root}/{name}")
        check_member(self.archive, info, "PyTorch", "a state dict", stored=info.compress_size, largest=largest)
        with self.archive.open(info) as packed:
            return packed.read(info.file_size)  # without a size, read() would unpack more than the claimed size


@contextmanager
def opened(file: BufferedReader) -> Iterator[Zipped]:
    """The archive in a file; raises InputError, here and within, if it is damaged or not of a state dict."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield Zipped(archive)
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"the zip archive is damaged or cut off ({error}).") from error


def _root(names: list[str]) -> str:
    """The folder in the archive that holds the pickle; raises InputError if there is none, or code beside it."""
    roots = [found[1] for name in names if (found := PICKLE.fullmatch(name))]
    if len(roots) != 1:
        raise InputError(f"the zip archive has {len(roots)} files data.pkl; one that torch.save wrote has one.")
    if any(name.startswith((f"{roots[0]}/code/", f"{roots[0]}/constants.pkl")) for name in names):
        raise InputError(f"it is a TorchScript archive, whose model is code; {ADVICE}.")
    return roots[0]
