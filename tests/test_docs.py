"""What the docs promise: their Python runs, their commands have options that exist, their links lead somewhere."""

import re
import runpy
import shlex
from pathlib import Path
from pkgutil import resolve_name

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from flax.traverse_util import flatten_dict

import cnnviz
from cnnviz import networks
from cnnviz.attribution import METHODS
from cnnviz.commands import console, report, several, train, visualize
from cnnviz.commands.own_pictures import gathered
from cnnviz.data import DATASETS
from cnnviz.networks import build
from cnnviz.pictures import PICTURES

ROOT = Path(__file__).parent.parent
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
CODE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(
    r"^(?:.*&& )?(?:python |cnnviz )?((?:train|visualize)(?:\.py)?\b(?:'[^'\n]*'|[^#&\"'\n])*)", re.MULTILINE
)
IN_TEXT = re.compile(r"`((?:python|cnnviz) [^`]+)`")
LINKS = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")


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


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "docs/library.md"])
def test_the_python_of_a_page_runs_as_it_stands(page, trained, monkeypatch):
    monkeypatch.chdir(trained)
    rules = __import__("cnnviz.propagation.rules", fromlist=["RULES"]).RULES
    monkeypatch.setattr("cnnviz.propagation.rules.RULES", dict(rules))
    names = {"__name__": "docs"}
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), names)
    if page == "README.md":
        assert names["maps"].shape == (4, 28, 28)
        assert Path("attribution.pdf").read_bytes().startswith(b"%PDF")
    elif page == "docs/library.md":
        assert names["maps"]["grad_cam"].shape == names["path"].maps.shape == (64, 28, 28)
        assert np.isfinite(names["why"]).all()
        assert names["figure"].axes
        assert Path("kernels_conv1.pdf").exists()
    else:
        from cnnviz import networks, runs
        from cnnviz.pictures.picture import Data

        found = names["MeanKernels"]()([networks.open(runs.latest("runs"))], Data())
        assert [picture.subject["layer"] for picture in found] == ["conv1", "conv2"]
        assert found[0].draw()


def commands():
    """Each command of a page, in a code block or between backticks."""
    code = [(page, code) for page in PAGES for code in blocks(page, "sh")]
    said = [(page, command) for page in PAGES for command in IN_TEXT.findall(CODE.sub("", (ROOT / page).read_text()))]
    return [(page, line.strip()) for page, text in [*code, *said] for line in COMMANDS.findall(text)]


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_of_a_page_has_the_options_that_it_uses(page, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("path/to/folder").mkdir(parents=True)  # the data sets that the pages use as examples
    for name in ("mine", "ecg", "organs"):
        Path(f"{name}.npz").touch()
    program, *arguments = shlex.split(line)
    if "--help" in arguments:
        return
    if program.startswith("train"):
        console.parse(train.Options, arguments, program)
        return
    if arguments[:1] == ["report"]:
        console.parse(report.Report, several.gathered(arguments[1:], report.Report), program)
        return
    kind = arguments.pop(0) if arguments and arguments[0] in PICTURES else None
    options = visualize.options_of(kind) if kind else visualize.Every
    arguments = gathered(several.gathered(arguments, options), options, every=kind == "predict")
    console.parse(options, arguments, program)


@pytest.mark.slow
def test_the_commands_for_your_own_network_run_as_they_stand(tmp_path, our_models, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "docs/your_network.md").read_text().partition("\n## ")[0]
    code = dict(CODE.findall(section))
    Path("net.py").write_text(code["python"])
    first, *others = [shlex.split(line) for line in COMMANDS.findall(code["sh"])]
    assert train.main([*first[1:], "--dataset", "garments", "--limit", "200", "--epochs", "1"]) == 0
    net = networks.open("runs/mine")
    Path("w.msgpack").write_bytes(flax.serialization.to_bytes(net.variables))
    wide = jax.jit(build("net.py:Net", {}, 10, (28, 28, 1)).init)(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    np.savez("w.npz", **{"/".join(path): leaf for path, leaf in flatten_dict(wide).items()})
    assert [visualize.main(arguments[1:]) for arguments in others] == [0] * 3
    assert len(list(Path("figures/w").glob("kernels_*.png"))) == 2  # of w.msgpack and of w.npz
    assert len(list(net.folder.glob("*.png"))) > 10


def test_there_are_commands_in_the_docs():
    assert len(commands()) > 40


def anchors(text):
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {title.strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_files_and_headings(page):
    text, broken = CODE.sub("", (ROOT / page).read_text()), []
    for target in (one or other for one, other in LINKS.findall(text)):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        if re.match(r"https?://", target):
            continue
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            broken.append(target)
    assert broken == []


def rows(page):
    """The rows of the tables of a page, as lists of cells."""
    lines = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_method_has_its_row_in_which_method_when():
    described = [row for row in rows("docs/methods.md") if row[0].strip("`") in METHODS and len(row) == 4]
    assert sorted(row[0].strip("`") for row in described) == sorted(METHODS)
    assert all(cell and cell != "-" for row in described for cell in row)
    assert f"**[{len(METHODS)} methods]" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("kind", PICTURES)
def test_every_kind_of_picture_has_its_page_with_a_picture(kind):
    page = (ROOT / f"docs/pictures/{kind}.md").read_text()
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["How to read it", "What it does not show"]
    assert f"]({kind}.png)" in page
    assert f"[`{kind}`]({kind}.md)" in (ROOT / "docs/pictures/index.md").read_text()
    assert kind in runpy.run_path(str(ROOT / "docs/draw.py"))["DRAWN"]
    assert f"pictures/{kind}.md" in (ROOT / "mkdocs.yml").read_text()
    assert f"(docs/pictures/{kind}.md)" in (ROOT / "README.md").read_text()


def test_the_page_on_data_names_every_data_set():
    assert [name for name in DATASETS if f"`{name}`" not in (ROOT / "docs/data.md").read_text()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/reference/")])
def test_what_the_reference_is_made_of_is_there(page):
    named = re.findall(r"^::: ([a-z]\S+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert [name for name in named if not resolve_name(name).__doc__] == []


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == cnnviz.__version__
