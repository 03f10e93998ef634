"""What torch.save wrote before PyTorch 1.6: five pickles in a row, then the numbers of each storage.

The pickles are a magic number, a version, facts about the machine, the value, and the keys of the storages in the order
in which their numbers follow: each a count of eight bytes, then that many numbers.
"""

import io
import os
from io import BufferedReader
from typing import Any

import numpy as np

from cnnviz.errors import InputError
from cnnviz.interop.torch.pickled import LARGEST, read_pickle
from cnnviz.interop.torch.tensors import Storage, decoded

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
COUNT = 8  # bytes


class Legacy:
    """The value that such a file holds, and the numbers of its storages."""

    def __init__(self, file: BufferedReader):
        self.file = file
        content = io.BytesIO(file.read(LARGEST))
        magic, version = (read_pickle(content).value for _ in range(2))
        if (magic, version) != (MAGIC, VERSION):
            raise InputError("it is a pickle, but not one that torch.save wrote.")
        machine = read_pickle(content).value
        if not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise InputError("it was written on a machine that is not little-endian; save it again on another.")
        pickle = read_pickle(content)
        self.value: Any = pickle.value
        self.places = _places(read_pickle(content).value, pickle.storages, content.tell())

    def numbers(self, storage: Storage) -> np.ndarray:
        """The numbers of a storage; raises InputError if the file lacks them or has fewer."""
        place = self.places.get(storage.key, -1)
        if not 0 <= place <= os.fstat(self.file.fileno()).st_size - COUNT - storage.nbytes:
            raise InputError("the file is cut off, or a tensor's storage is not in it.")
        self.file.seek(place)
        count, data = int.from_bytes(self.file.read(COUNT), "little"), self.file.read(storage.nbytes)
        if count != storage.size or len(data) != storage.nbytes:
            raise InputError(f"a storage has {count} numbers; its tensor needs {storage.size}.")
        return decoded(storage.kind, data)


def _places(keys: Any, storages: Any, start: int) -> dict[str, int]:
    """Where in the file each storage begins."""
    places = {}
    for key in keys if isinstance(keys, list) else ():
        if not isinstance(key, str) or key not in storages or key in places:
            raise InputError("its list of storages is not that of its tensors.")
        places[key] = start
        start += COUNT + storages[key].nbytes
    return places
