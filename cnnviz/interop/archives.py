"""Members of zip archives from strangers, checked before anything of them is unpacked; arrays in them."""

import math
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy

from cnnviz.errors import InputError

MOST_INFLATED = 100  # times the bytes that it is stored in is the most that a member may unpack to
ENCRYPTED = 0x1  # a member's flag
HEADER = 30  # bytes before a member, without its name
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError)
DAMAGE += (TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error)


def check_npz(path: Path) -> None:
    """Raises InputError unless a file is a zip archive, and OSError if it may not be read."""
    with path.open("rb") as file:  # of a path that may not be read zipfile says that it is not an archive
        if not zipfile.is_zipfile(file):
            raise InputError(f"{path} is not a readable .npz file (it is not a zip archive).")


def check_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, writer: str, content: str, *, stored: int, largest: int | None
) -> None:
    """Raises InputError if a member lies outside the file, is encrypted, or claims too many bytes.

    It is refused too if it is compressed by another method than METHODS. A member may claim 100 times the `stored`
    bytes, or those of the archive if they are fewer, and at most `largest`. `writer` and `content` say in the errors
    which program saves what in such an archive.
    """
    if not 0 <= info.header_offset <= size_of(archive) - HEADER:
        raise InputError(f"{info.filename} is said to lie outside the file; it is damaged or cut off.")
    if info.flag_bits & ENCRYPTED:
        raise InputError(f"{info.filename} is encrypted; the files of {content} that {writer} saved are not.")
    if info.compress_type not in METHODS:
        raise InputError(
            f"{info.filename} is compressed by a method that {writer} does not use; it must be stored or deflated."
        )
    most = max(MOST_INFLATED * min(stored, size_of(archive)), 2**20)
    if info.file_size > min(most, largest or most):
        raise InputError(f"{info.filename} claims {info.file_size} bytes out of {stored}; too many for {content}.")


def size_of(archive: zipfile.ZipFile) -> int:
    """The bytes of the archive's file."""
    assert archive.fp is not None
    return os.fstat(archive.fp.fileno()).st_size


def is_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Whether a member is in NumPy's format for one array."""
    with archive.open(info) as file:
        return file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX


def array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Shaped[np.ndarray, "..."]:
    """The array in a member, whose shape is compared with its size before memory is allocated for it.

    Raises ValueError if the member claims more than it stores, or holds pickled objects.
    """
    with archive.open(info) as file:
        shape, _, dtype = HEADERS[npy.read_magic(file)](file)
        claimed, stored = math.prod(shape) * dtype.itemsize, info.file_size - file.tell()
    if not dtype.hasobject and claimed != stored:
        raise ValueError(f"{info.filename} claims {dtype}{list(shape)}, {claimed} bytes, and stores {stored}")
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)


def why_damaged(path: object, error: Exception) -> InputError:
    """The error for an `.npz` file whose reading raised one of DAMAGE."""
    if "allow_pickle=False" in str(error):
        return InputError(f"{path} holds pickled objects, which are never loaded; save plain arrays.")
    return InputError(f"{path} is not a readable .npz file ({' '.join(str(error).split())[:200]}).")
