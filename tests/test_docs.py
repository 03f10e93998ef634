"""What the docs promise: their Python runs as it stands, and their commands have the options that they use."""

import re
import shlex
from pathlib import Path

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from cnnviz import networks
from cnnviz.commands import console, train, visualize
from cnnviz.networks import build
from cnnviz.pictures import PICTURES

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/recipes.md"]
CODE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(
    r"^(?:.*&& )?(?:python |cnnviz )?((?:train|visualize)(?:\.py)?\b(?:'[^'\n]*'|[^#&\"'\n])*)", re.MULTILINE
)


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


def test_the_commands_for_your_own_network_run_as_they_stand(tmp_path, our_models, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "README.md").read_text().partition("## Your own network\n")[2].partition("\n## ")[0]
    code = dict(CODE.findall(section))
    Path("net.py").write_text(code["python"])
    first, *others = [shlex.split(line) for line in COMMANDS.findall(code["sh"])]
    assert train.main([*first[1:], "--dataset", "garments", "--limit", "200", "--epochs", "1"]) == 0
    net = networks.open("runs/mine")
    Path("w.msgpack").write_bytes(flax.serialization.to_bytes(net.variables))
    wide = jax.jit(build("net.py:Net", {}, 10, (28, 28, 1)).init)(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    np.savez("w.npz", **{"/".join(path): leaf for path, leaf in flatten_dict(wide).items()})
    assert [visualize.main(arguments[1:]) for arguments in others] == [0] * 3
    assert len(list(Path("figures/w").glob("kernels_*.png"))) == 1
    assert len(list(net.folder.glob("*.png"))) > 10


def test_there_are_commands_in_the_docs():
    assert len(commands()) > 15
