"""Members of tar archives from strangers, read into memory one after the other; nothing is extracted to disk."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from cnnviz.errors import InputError
from cnnviz.interop.archives import MOST_INFLATED

LEAST_LIMIT = 2**26  # bytes that any archive may unpack to
DAMAGE = (tarfile.TarError, EOFError, OSError, ValueError, LookupError, OverflowError, zlib.error)


def members(path: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """The contents of a gzipped or plain archive's files of these names, in whichever folder, as far as it has them.

    Raises InputError if the archive is damaged or unpacks to over 100 times its size, or if such a member is a link,
    lies outside the archive's folder, or comes twice.
    """
    limit = max(MOST_INFLATED * path.stat().st_size, LEAST_LIMIT)
    try:
        with path.open("rb") as file:
            is_gzipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_gzipped else path.open("rb") as plain:
            with tarfile.open(fileobj=_Limited(plain, limit), mode="r|") as archive:
                return _contents(archive, wanted)
    except InputError as error:
        raise InputError(f"{path} is not read: {error}") from error
    except DAMAGE as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} is a damaged tar archive ({why}); put a good copy in its place.") from error


def _contents(archive: tarfile.TarFile, wanted: Collection[str]) -> dict[str, bytes]:
    found = {}
    for member in archive:
        name = PurePosixPath(member.name)
        if name.name not in wanted or member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise InputError(f"its member {member.name} is a link or a special file; it must be a plain one.")
        if name.is_absolute() or ".." in name.parts or name.name in found:
            raise InputError(f"its member {member.name} lies outside of its folder, or comes twice.")
        stream = archive.extractfile(member)
        found[name.name] = stream.read() if stream is not None else b""
        if len(found[name.name]) != member.size:
            raise EOFError(f"{member.name} ends early")
    return found


class _Limited(io.RawIOBase):
    """A stream that raises InputError once more than `limit` bytes were read from it."""

    def __init__(self, stream: object, limit: int):
        self.stream, self.left, self.limit = stream, limit, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(self.left + 1 if size < 0 else min(size, self.left + 1))  # type: ignore[attr-defined]
        self.left -= len(content)
        if self.left < 0:
            raise InputError(f"it unpacks to more than {self.limit:,} bytes, which no such archive does.")
        return content
