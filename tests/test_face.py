"""The face of the package: what `import cnnviz` gives, and the command `cnnviz`."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import cnnviz
from cnnviz import attribution, interop, kernels, networks, probe, runs
from cnnviz.commands import console
from cnnviz.commands.main import main

ROOT = Path(__file__).parent.parent
NAMES = {
    "load": networks.open,
    "attribute": attribution.attribute,
    "suite": attribution.suite,
    "build": attribution.build,
    "METHODS": attribution.METHODS,
    "Unit": attribution.Unit,
    "Run": runs.Run,
    "load_run": runs.load_run,
    "load_keras": interop.load_keras,
    "layers": probe.layers,
    "activations": probe.activations,
    "logits": probe.logits,
    "score_of": probe.score_of,
    "fold": probe.fold,
    "from_nnx": probe.from_nnx,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_face_is_that_of_its_room(name):
    assert getattr(cnnviz, name) is NAMES[name]
    assert name in dir(cnnviz)


def test_rooms_are_attributes_and_listed():
    places = [*(ROOT / "cnnviz").glob("[a-z]*.py"), *(ROOT / "cnnviz").glob("*/__init__.py")]
    rooms = {path.parent.name if path.stem == "__init__" else path.stem for path in places}
    assert rooms <= set(dir(cnnviz))
    assert all(getattr(cnnviz, room).__name__ == f"cnnviz.{room}" for room in rooms)


def test_kernels_is_a_module_and_its_main_function():
    variables = {"params": {"conv": {"kernel": np.zeros((3, 3, 1, 2))}}}
    assert kernels(variables).keys() == kernels.kernels(variables).keys() == {"conv"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cnnviz' has no attribute 'atribute'"):
        _ = cnnviz.atribute


def test_the_commands_are_listed_and_a_wrong_one_is_one_line(capsys):
    assert main(["--help"]) == main([]) == 0
    assert "cnnviz train" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == cnnviz.__version__
    assert main(["vizualize"]) == 2
    assert capsys.readouterr().err == "cnnviz: 'vizualize' is not a command; did you mean 'visualize'?\n"
    assert main(["draw"]) == 2
    assert capsys.readouterr().err == "cnnviz: 'draw' is not a command; the commands are train, visualize, report.\n"


def test_errors_are_signed_by_the_command(capsys):
    assert main(["train", "--epoch", "3"]) == 2
    assert capsys.readouterr().err.startswith("cnnviz train: '--epoch' is not an option")


@pytest.mark.parametrize("module", ["cnnviz", "cnnviz.commands.train", "cnnviz.commands.visualize"])
def test_modules_run_as_programs(module):
    arguments = ["train", "--limit", "0"] if module == "cnnviz" else ["--nonsense"]
    found = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("started", "said"),
    [("train.py", "python train.py"), ("/usr/bin/cnnviz", "cnnviz train"), ("/x/cnnviz/__main__.py", "cnnviz train")],
)
def test_how_to_go_on_is_said_as_the_process_was_started(monkeypatch, started, said):
    monkeypatch.setattr(sys, "argv", [started])
    assert console.command_line("train") == said


def test_import_is_cheap():
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import cnnviz"], capture_output=True, text=True, cwd=ROOT
    )
    modules = [line.split("|")[-1].strip() for line in found.stderr.splitlines()]
    assert not {"jax", "numpy", "matplotlib", "flax"} & set(modules)


@pytest.mark.parametrize("room", ["attribution", "comparison", "metrics", "units"])
def test_a_function_of_a_room_stays_one_once_its_module_is_loaded(room):
    found = import_module(f"cnnviz.{room}")
    for _ in range(2):
        modules = [name for name in getattr(found, "_HOMES", {}) if isinstance(getattr(found, name), ModuleType)]
        assert not modules
