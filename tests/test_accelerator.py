"""The benchmark of accelerators, on a CPU: it runs, says what is missing, and keeps what it measured when stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import accelerator  # noqa: E402
from benchmarks.accelerated import SECTIONS  # noqa: E402
from benchmarks.accelerated.case import SMALL, Case  # noqa: E402

SCRIPT = [sys.executable, str(ROOT / "benchmarks" / "accelerator.py")]
ON_CPU = {**os.environ, "JAX_PLATFORMS": "cpu"}


def raises(error):
    def run():
        raise error

    return run


def read(folder):
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def test_without_an_accelerator_it_says_what_it_found(tmp_path):
    out = tmp_path / "results"
    found = subprocess.run([*SCRIPT, "--out", str(out)], env=ON_CPU, capture_output=True, text=True)
    assert found.returncode == 2
    assert found.stderr.startswith("There is no accelerator: JAX ")
    assert "--allow-cpu" in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (ModuleNotFoundError("No module named 'captum'", name="captum"), {"skipped": "captum is not installed"}),
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"),
            {"skipped": "too little memory"},
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"), {"skipped": "too little memory"}),
        (MemoryError(), {"skipped": "too little memory"}),
        (RuntimeError("cuDNN: launch failed\nmore"), {"failed": "cuDNN: launch failed"}),
        (KeyError("relu9"), {"failed": "KeyError: 'relu9'"}),
    ],
)
def test_a_case_that_cannot_be_measured_says_why(error, row):
    (key, said), *others = accelerator.measured(Case("one", raises(error))).items()
    assert not others
    assert key in row
    assert said.startswith(row[key])


@pytest.fixture
def sections(monkeypatch, tmp_path):
    """Two sections, with half of the time each, on a clock that each of their cases moves by twenty seconds."""
    clock = [0.0]

    def cases(names):
        def one():
            clock[0] += 20
            return {"at": clock[0]}

        return lambda sizes: iter([Case(name, one) for name in names])

    made = {"first": cases(["a", "b", "c", "d"]), "second": cases(["e"])}
    monkeypatch.setattr(accelerator.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(accelerator, "SECTIONS", dict.fromkeys(made, ("", 0.5)) | {n: (n, 0.5) for n in made})
    monkeypatch.setattr(accelerator, "resolve_name", made.__getitem__)
    return lambda minutes: accelerator.Results(tmp_path, minutes, begun=0.0)


def test_each_section_has_its_share_and_what_is_left_goes_to_those_that_were_not_reached(sections, tmp_path):
    results = sections(4 / 3)  # 80 seconds
    accelerator.measure(results, SMALL, ["first", "second"])
    assert results.sections["first"] == {
        "a": {"at": 20},
        "b": {"at": 40},
        "c": {"at": 80},
        "d": {"skipped": "no time was left"},
    }
    assert results.sections["second"] == {"e": {"at": 60}}
    assert read(tmp_path)["sections"] == results.sections
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| d |  | no time was left |" in table


@pytest.mark.slow
def test_it_runs_on_a_cpu_where_that_is_allowed(tmp_path):
    quick = ["passes", "roofline", "trace"]
    asked = ["--out", str(tmp_path), "--allow-cpu", "--minutes", "3", "--only", *quick]
    subprocess.run([*SCRIPT, *asked], env=ON_CPU, check=True, capture_output=True)
    found = read(tmp_path)
    assert found["status"] == "done"
    assert list(found["sections"]) == quick
    rows = {name: row for section in found["sections"].values() for name, row in section.items()}
    assert not [name for name, row in rows.items() if "failed" in row or "skipped" in row]
    assert all(row["images/s"] > 0 for row in found["sections"]["passes"].values())
    assert 0 < rows["cnn, training step, batch 32, float32"]["fraction"] < 2
    assert (tmp_path / "table.md").read_text(encoding="utf-8").count("## ") == 3


@pytest.mark.slow
def test_every_section_has_a_case_that_runs():
    for section in SECTIONS:
        cases = accelerator.resolve_name(SECTIONS[section][0])(SMALL)
        assert isinstance(next(cases), Case)


@pytest.mark.slow
def test_a_signal_leaves_complete_results(tmp_path):
    process = subprocess.Popen([*SCRIPT, "--out", str(tmp_path), "--allow-cpu", "--only", "maps"], env=ON_CPU)
    started = time.monotonic()
    while not (tmp_path / "results.json").exists():
        assert process.poll() is None
        assert time.monotonic() - started < 300
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 128 + signal.SIGTERM
    found = read(tmp_path)
    assert found["status"] == "stopped"
    assert "ms an image" in found["sections"]["maps"]["gradient, 8 images"]
