"""Memory that was freed is not asked of the system again, unless the user has told malloc something else."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from cnnviz.heap import keep_freed_memory

kept = "keep" in sys.argv and keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch = lambda: len(b"x" * 48_000_000)
touch()
before = faults()
for _ in range(5):
    touch()
print(kept, faults() - before)
"""


def run(*arguments, **variables):
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, env=plain | variables, capture_output=True, text=True, timeout=120, check=True)
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_kept():
    (kept, few), (_, many) = run("keep"), run()
    assert kept
    assert few < 100 < 2000 < many  # pages, of 4 to 64 KiB


def test_what_the_user_says_of_malloc_stands():
    assert run("keep", MALLOC_ARENA_MAX="2")[0] is False
