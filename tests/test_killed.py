"""A training that is killed at any moment goes on from a whole checkpoint and ends with the bits of one that was not.

Three random moments by default, others in each run of the tests; CNNVIZ_KILLS=50 makes it fifty.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnnviz.runs import damages

pytestmark = pytest.mark.slow

ROOT, LIMIT = Path(__file__).parent.parent, 240  # seconds, after which a training has failed
KILLS = int(os.environ.get("CNNVIZ_KILLS", "3"))


def begin(*options):
    command = [sys.executable, str(ROOT / "train.py"), *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process):
    written, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, written


def options(data, runs, name):
    """Much to write: thirty snapshots in sixty steps, of two networks."""
    given = ["--dataset", data, "--runs", runs, "--name", name, "--seeds", 2, "--epochs", 12, "--patience", 99]
    return [*given, "--batch-size", 25, "--snapshots", 30, "--keep-every", 3]


def until_begun(process, run):
    """Waits for the run's directory: before it is there nothing can be lost."""
    while not run.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.001)


def what_is_left(run):
    """All that a run ends with, byte for byte but for the seconds that it took."""
    arrays = {str(file.relative_to(run)): file.read_bytes() for file in sorted(run.rglob("*.safetensors"))}
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((run / "summary.json").read_text())
    for name in ("files", "digest"):  # they change with the seconds
        summary.pop(name)
    for record in [*records, *(network["best"] for network in summary["networks"])]:
        del record["seconds"], record["images_per_second"]
    return arrays, records, summary


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """What a training that went through has left, and the seconds from its first file to its end."""
    runs = tmp_path_factory.mktemp("whole")
    process = begin(*options(data, runs, "toy"))
    until_begun(process, runs / "toy")
    began = time.perf_counter()
    ended(process)
    return what_is_left(runs / "toy"), time.perf_counter() - began


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bits(data, whole, tmp_path, number):
    expected, seconds = whole
    moment, run = random.uniform(0, seconds), tmp_path / "toy"
    process = begin(*options(data, tmp_path, "toy"))
    until_begun(process, run)
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT)
    latest = max((run / "checkpoints").glob("step_*"))
    assert damages(run) == [], f"{latest} is not whole, killed after {moment} s"
    ended(begin("--resume", "--runs", tmp_path, "--name", "toy"))
    assert what_is_left(run) == expected, f"killed after {moment} s, it went on from {latest.name}"
