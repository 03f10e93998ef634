"""The memory limit of this process."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (0, "bytes"))
CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # cgroups, version 2 and 1


def most() -> int:
    """The bytes that this process may use: the smallest of the machine's, the container's and the process's limit."""
    return min(_limits(), default=sys.maxsize)


def in_words(size: int) -> str:
    """A number of bytes as text: "43.2 GB"."""
    unit, name = next((unit, name) for unit, name in UNITS if size >= unit)
    return f"{size / unit:.4g} {name}"


def _limits() -> Iterator[int]:
    with suppress(AttributeError, ValueError, OSError):  # not on Windows
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in CONTAINER:
        with suppress(ValueError, OSError):  # "max" is not a number
            yield int(Path(path).read_text())
    with suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            yield limit
