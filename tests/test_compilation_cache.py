"""The cache of compiled programs: damaged entries are compiled again, in silence, and replaced."""

import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAM = """
import jax
from cnnviz.commands import console
console.use_compilation_cache()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
for number in range(3):
    print(jax.jit(lambda x: x * 2 + number)(1.5))
"""


def started(cache, **options):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment |= {"CNNVIZ_CACHE": str(cache), "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0"}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, **options)


def test_damaged_entries_are_replaced_without_a_word(tmp_path):
    first = started(tmp_path)
    entries = sorted((tmp_path / "compiled").glob("*-cache"))
    whole = [entry.read_bytes() for entry in entries]
    assert len(entries) >= 3
    entries[0].write_bytes(b"")
    entries[1].write_bytes(bytes(len(whole[1])))
    entries[2].write_bytes(whole[2][:40])  # it cannot be told from a good one by its beginning
    second = started(tmp_path)
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert all(len(entry.read_bytes()) > 100 for entry in entries[:2])


def test_a_full_disk_is_no_matter(tmp_path):
    """JAX warned of each program that it could not write."""
    no_byte = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    found = started(tmp_path, preexec_fn=no_byte)
    assert (found.stdout.count("\n"), found.stderr) == (3, "")
    assert not any(entry.stat().st_size for entry in (tmp_path / "compiled").glob("*-cache"))
