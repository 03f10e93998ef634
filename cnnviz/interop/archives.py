"""Members of zip archives from strangers, checked before anything of them is unpacked."""

import os
import zipfile

from cnnviz.errors import InputError

MOST_INFLATED = 100  # times the bytes that it is stored in is the most that a member may unpack to
ENCRYPTED = 0x1  # a member's flag
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, writer: str, content: str, *, stored: int, largest: int | None
) -> None:
    """Raises InputError if a member is encrypted, compressed by another method, or claims too many bytes.

    It may claim 100 times the `stored` bytes, or those of the archive if they are fewer, and at most `largest`.
    `writer` and `content` say in the errors which program saves what in such an archive.
    """
    if info.flag_bits & ENCRYPTED:
        raise InputError(f"{info.filename} is encrypted; the files of {content} that {writer} saved are not.")
    if info.compress_type not in METHODS:
        raise InputError(
            f"{info.filename} is compressed by a method that {writer} does not use; it must be stored or deflated."
        )
    most = max(MOST_INFLATED * min(stored, size_of(archive)), 2**20)
    if info.file_size > min(most, largest or most):
        raise InputError(f"{info.filename} claims {info.file_size} bytes out of {stored}; that is not {content}'s.")


def size_of(archive: zipfile.ZipFile) -> int:
    """The bytes of the archive's file."""
    assert archive.fp is not None
    return os.fstat(archive.fp.fileno()).st_size
