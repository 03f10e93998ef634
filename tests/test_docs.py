"""What the docs promise: their Python runs as it stands, and their commands have the options that they use."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from cnnviz.commands import console, train, visualize
from cnnviz.pictures import PICTURES

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/recipes.md"]
CODE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^(?:.*&& )?(?:python |cnnviz )?((?:train|visualize)(?:\.py)?\b[^#&\"]*)", re.MULTILINE)


def blocks(page, language):
    """The code blocks of a page in one language, as text."""
    return [code for name, code in CODE.findall((ROOT / page).read_text()) if name == language]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of the default network, trained for a moment."""
    folder = tmp_path_factory.mktemp("docs")
    runs = str(folder / "runs")
    assert train.main(["--dataset", "garments", "--limit", "300", "--epochs", "1", "--runs", runs]) == 0
    return folder


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md"])
def test_the_python_of_a_page_runs_as_it_stands(page, trained, monkeypatch):
    monkeypatch.chdir(trained)
    rules = __import__("cnnviz.propagation.rules", fromlist=["RULES"]).RULES
    monkeypatch.setattr("cnnviz.propagation.rules.RULES", dict(rules))
    names = {"__name__": "docs"}
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), names)
    if page == "README.md":
        assert names["maps"]["grad_cam"].shape == names["path"].maps.shape == (64, 28, 28)
        assert np.isfinite(names["why"]).all()
    else:
        from cnnviz import networks, runs
        from cnnviz.pictures.picture import Data

        found = names["MeanKernels"]()([networks.open(runs.latest("runs"))], Data())
        assert [picture.subject["layer"] for picture in found] == ["conv1", "conv2"]
        assert found[0].draw()


def commands():
    pages = [(page, code) for page in PAGES for code in blocks(page, "sh")]
    return [(page, line.strip()) for page, code in pages for line in COMMANDS.findall(code)]


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_of_a_page_has_the_options_that_it_uses(page, line):
    program, *arguments = shlex.split(line)
    if "--help" in arguments:
        return
    if program.startswith("train"):
        console.parse(train.Options, arguments, program)
    elif arguments and arguments[0] in PICTURES:
        console.parse(visualize.options_of(arguments[0]), arguments[1:], program)
    else:
        console.parse(visualize.Every, arguments, program)


def test_there_are_commands_in_the_docs():
    assert len(commands()) > 15
