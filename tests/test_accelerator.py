"""The benchmark of accelerators, on a CPU: it runs, says what is missing, and keeps what it measured when stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import accelerator  # noqa: E402
from benchmarks.accelerated import SECTIONS, agreement  # noqa: E402
from benchmarks.accelerated.case import SMALL, Case  # noqa: E402
from benchmarks.accelerated.rewrites import WORK  # noqa: E402
from cnnviz.fast.switch import Rewrite  # noqa: E402

SCRIPT = [sys.executable, str(ROOT / "benchmarks" / "accelerator.py")]
ON_CPU = {**os.environ, "JAX_PLATFORMS": "cpu"}


def raises(error):
    def run():
        raise error

    return run


def read(folder):
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


@pytest.fixture
def answer(monkeypatch, capsys):
    """What the script says of these options, in this process."""

    def answer(*options):
        monkeypatch.setattr(sys, "argv", ["accelerator.py", *map(str, options)])
        assert accelerator.main() == 2
        found = capsys.readouterr()
        assert not found.out
        assert len(found.err.splitlines()) == 1
        return found.err

    return answer


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="there is an accelerator")
def test_without_an_accelerator_it_says_what_it_found(tmp_path, answer):
    assert answer("--out", tmp_path / "results").startswith(
        f"No accelerator was found: JAX {jax.__version__} has 1 x cpu"
    )
    assert "--allow-cpu" in answer("--out", tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(tmp_path, answer, minutes):
    said = answer("--out", tmp_path / "results", "--allow-cpu", "--minutes", minutes)
    assert said == f"--minutes is a positive number; it was {minutes}.\n"
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("place", ["a file", "a file/below", "results"])
def test_a_place_that_has_results_or_cannot_have_them_is_refused(tmp_path, answer, place):
    (tmp_path / "a file").write_text("mine")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "results.json").write_text("mine")
    assert "give --out another folder" in answer("--out", tmp_path / place, "--allow-cpu")
    assert (tmp_path / "a file").read_text() == (tmp_path / "results" / "results.json").read_text() == "mine"
    assert len(list(tmp_path.rglob("*"))) == 3


def test_what_jax_cannot_start_is_said_and_nothing_starts_before_it_is_set_up(tmp_path):
    asked = [*SCRIPT, "--out", str(tmp_path / "results"), "--allow-cpu"]
    missing = {**os.environ, "JAX_PLATFORMS": "tpu"}
    found = subprocess.run(asked, env=missing, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1].startswith(f"JAX {jax.__version__} cannot start: Unable to initialize backend")
    assert "Traceback" not in found.stderr


def test_a_signal_within_a_callback_of_python_s_own_ends_the_run(tmp_path):
    """An exception there is printed and forgotten, as in JAX's callback of the garbage collector."""
    code = f"""
import gc, os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from functools import partial
from pathlib import Path
from benchmarks import accelerator

results = accelerator.Results(Path({str(tmp_path)!r}), 1)
signal.signal(signal.SIGTERM, partial(accelerator.stop, results, None))
gc.callbacks.append(lambda *_: os.kill(os.getpid(), signal.SIGTERM))
gc.collect()
print("goes on")
"""
    found = subprocess.run([sys.executable, "-c", code], env=ON_CPU, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (128 + signal.SIGTERM, "")
    assert read(tmp_path)["status"] == "stopped"


def test_the_process_on_the_cpu_ends_after_the_one_that_asked_for_it(monkeypatch, tmp_path):
    parents = iter([7, 7, 1])
    monkeypatch.setattr(agreement.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(agreement, "computed", lambda: dict.fromkeys("abcd", lambda: np.ones(2)))
    agreement.write_references(tmp_path, 7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "b.npy"]


def test_every_rewrite_but_a_cpu_s_compiler_options_is_measured():
    assert set(WORK) == set(Rewrite) - {Rewrite.COMPILER_OPTIONS}


def test_numbers_that_json_does_not_have_are_text(tmp_path):
    results = accelerator.Results(tmp_path, 1)
    results.add(
        "roofline", "copy", {"GB/s": np.float32("nan"), "fraction": np.inf, "calls": 3, "spread": np.float64(0.5)}
    )
    assert read(tmp_path)["sections"]["roofline"]["copy"] == {
        "GB/s": "nan",
        "fraction": "inf",
        "calls": 3,
        "spread": 0.5,
    }


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (ModuleNotFoundError("No module named 'captum'", name="captum"), {"skipped": "captum is not installed"}),
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"),
            {"skipped": "too little memory"},
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"), {"skipped": "too little memory"}),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), {"skipped": "too little memory"}),
        (jax.errors.JaxRuntimeError("INTERNAL: CUDA_ERROR_OUT_OF_MEMORY"), {"skipped": "too little memory"}),
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


def test_a_section_that_takes_too_long_leaves_the_others_their_shares(monkeypatch, tmp_path):
    clock, taken = [0.0], {"long": 70, "short": 5, "last": 5}

    def cases(section):
        def run():
            clock[0] += taken[section]
            return {"at": clock[0]}

        return lambda sizes: iter([Case(str(i), run) for i in range(3)])

    monkeypatch.setattr(accelerator.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(accelerator, "SECTIONS", {name: (name, 1 / 3) for name in taken})
    monkeypatch.setattr(accelerator, "resolve_name", cases)
    results = accelerator.Results(tmp_path, 1.5, begun=0.0)
    accelerator.measure(results, SMALL, list(taken))  # 90 seconds
    measured = {name: [row.get("at") for row in rows.values()] for name, rows in results.sections.items()}
    assert measured == {"long": [70, None, None], "short": [75, 80, None], "last": [85, 90, None]}


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
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_leaves_complete_results(tmp_path, number):
    asked = [*SCRIPT, "--out", str(tmp_path), "--allow-cpu", "--only", "maps", "agreement"]
    process = subprocess.Popen(asked, env=ON_CPU)
    started = time.monotonic()
    while not (tmp_path / "results.json").exists() or not read(tmp_path)["sections"]:
        assert process.poll() is None
        assert time.monotonic() - started < 300
        time.sleep(0.2)
    process.send_signal(number)
    assert process.wait(120) == (-number if number == signal.SIGKILL else 128 + number)
    found = read(tmp_path)
    assert found["status"] == ("running" if number == signal.SIGKILL else "stopped")
    assert "ms an image" in found["sections"]["maps"]["gradient, 8 images"]
    assert f"| gradient, 8 images | {found['sections']['maps']['gradient, 8 images']['ms an image']:.4g} |" in (
        tmp_path / "table.md"
    ).read_text(encoding="utf-8")
