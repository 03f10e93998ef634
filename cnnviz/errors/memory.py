"""The memory that this process and its devices may use, and how much of it is free."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (0, "bytes"))
# A container's limit and what it uses (cgroups, version 2 and 1), of which unused files in its cache can be dropped.
CONTAINERS = (
    ("/sys/fs/cgroup/memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def most() -> int:
    """The bytes that this process may use: the smallest of the machine's, the container's and the process's limit."""
    return min(_limits(), default=sys.maxsize)


def free() -> int:
    """The bytes that this process can still take: the least that the machine, the container and its limit have left."""
    return max(0, min(_left(), default=sys.maxsize))


def of_device(device: Any) -> int:
    """The bytes of a JAX device's memory that JAX may take; for a CPU, what this process may use."""
    stats = device.memory_stats() or {}
    return stats.get("bytes_limit") or most()


def address_space() -> tuple[int, int] | None:
    """The limit of this process's address space (`ulimit -v`) and how much is left; None if it has no limit."""
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            reserved = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            return limit, limit - reserved
    return None


def in_words(size: int) -> str:
    """A number of bytes as text: "43.2 GB"."""
    unit, name = next((unit, name) for unit, name in UNITS if size >= unit)
    return f"{size / unit:.4g} {name}" if unit else f"{size} {name}"


def _limits() -> Iterator[int]:
    with suppress(AttributeError, ValueError, OSError):  # not on Windows
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield from filter(None, (_container_limit(path) for path, _, _ in CONTAINERS))
    if space := address_space():
        yield space[0]


@cache
def _container_limit(path: str) -> int | None:
    """The number in this file, read once since it is asked for at each call of a method; None if there is none."""
    with suppress(ValueError, OSError):  # "max" is not a number
        return int(Path(path).read_text())
    return None


def _left() -> Iterator[int]:
    with suppress(KeyError, ValueError, OSError):
        yield 1024 * int(_table(Path("/proc/meminfo"))["MemAvailable:"])
    for path, used, droppable in CONTAINERS:
        with suppress(KeyError, ValueError, OSError):
            folder = Path(path).parent
            held = int((folder / used).read_text()) - int(_table(folder / "memory.stat")[droppable])
            yield int(Path(path).read_text()) - held
    if space := address_space():
        yield space[1]


def _table(path: Path) -> dict[str, Any]:
    """The first two words of each line."""
    return dict(line.split()[:2] for line in path.read_text().splitlines())
