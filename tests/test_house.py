"""House rules: what the docs and the help list is what there is, and signatures and errors have one form."""

import ast
import inspect
import re
import subprocess
import sys
import tokenize
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from test_layers import FLOORS

from cnnviz.attribution import METHODS
from cnnviz.data import DATASETS
from cnnviz.interop import READERS
from cnnviz.models import MODELS
from cnnviz.pictures import PICTURES
from cnnviz.registry import resolve
from cnnviz.training.recipe import RECIPES
from cnnviz.training.tracking import TRACKERS

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "cnnviz").rglob("*.py"))
CODE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ORDER = ("key", "batch_size", "call", "report")  # of the named arguments, as far as a function has them


def named(text):
    """The words in backticks."""
    return set(re.findall(r"`([^`\s]+)`", text))


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("train", [*MODELS, *RECIPES, *TRACKERS]),
        ("visualize", [*PICTURES, *(ending for ending in READERS if ending != ".hdf5")]),
    ],
)
def test_help_names_every_entry_of_the_registries(command, names):
    found = subprocess.run(
        [sys.executable, f"{command}.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    text = " ".join(found.stdout.replace("│", " ").split())
    assert [name for name in names if name not in text] == []


def test_the_floors_of_the_architecture_are_those_of_the_test():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| (\d) \| (.*?) \|", text, re.MULTILINE)
    found = {}
    for floor, rooms in rows:
        found.setdefault(int(floor), set()).update(name.rstrip("/").removesuffix(".py") for name in named(rooms))
    assert [found[floor] for floor in sorted(found)] == FLOORS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_name_has_a_docstring(path):
    tree = ast.parse(path.read_text())
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    public = [node for node in definitions if not node.name.startswith("_")]
    assert [node.name for node in public if ast.get_docstring(node) is None] == []
    assert ast.get_docstring(tree)


def test_what_differs_by_backend_is_decided_in_a_few_places():
    """Rewrites in one table, amounts in one function; and that several CPU devices deadlock, and have no own memory."""
    asks = re.compile(r"default_backend|\.platform\b(?!\()")
    files = {str(path.relative_to(ROOT / "cnnviz")) for path in FILES if asks.search(path.read_text())}
    assert files == {"fast/switch.py", "batching/chunks.py", "training/mesh.py", "training/footprint.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert text.count("\n") <= 300
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 40] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_parts_of_a_sentence_have_a_space_between_them(path):
    """Two string literals next to each other are one: without a space a word runs into the next."""
    skipped = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT)
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in skipped]
    pairs = zip(tokens, tokens[1:], strict=False)
    both = [(a, b) for a, b in pairs if a.type == b.type == tokenize.STRING]
    assert [(a.start[0], a.string, b.string) for a, b in both if runs_together(a.string, b.string)] == []


def runs_together(first, second):
    end, start = first.strip("rbfu")[-2:-1], second.lstrip("rbfu")[1:2]
    return end.isalnum() and start.isalnum() or end in ".,;:" and start.isalnum()


def functions_of_the_face():
    import cnnviz

    names = [name for name in dir(cnnviz) if inspect.isfunction(getattr(cnnviz, name))]
    return [getattr(cnnviz, name) for name in names]


@pytest.mark.parametrize("function", functions_of_the_face(), ids=lambda function: function.__name__)
def test_named_arguments_have_the_order_of_the_house(function):
    parameters = inspect.signature(function).parameters
    present = [name for name in parameters if name in ORDER]
    assert present == [name for name in ORDER if name in present]
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in present)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_its_paper_or_that_it_has_none(name):
    doc = resolve(METHODS, name, "method").__doc__
    bases = [base.__doc__ or "" for base in resolve(METHODS, name, "method").__mro__]
    assert doc
    assert any(re.search(r"arXiv:\d|doi:|\(WACV\)|20[012]\d", text) for text in bases)


@pytest.mark.parametrize(
    "registry", [METHODS, PICTURES, MODELS, READERS, DATASETS, TRACKERS], ids=lambda r: next(iter(r))
)
def test_every_entry_of_a_registry_is_there(registry):
    for path in (each for each in registry.values() if isinstance(each, str)):  # not classes that another test added
        module, _, attribute = path.partition(":")
        found = ast.parse(Path(find_spec(module).origin).read_text()).body  # not imported: it may need an extra
        names = [node.name for node in found if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assigned = [part for node in found if isinstance(node, ast.Assign) for part in ast.walk(node)]
        names += [part.id for part in assigned if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
        assert attribute in names


def bounds():
    """The packages that .ci/lock asks for, with the oldest version of each that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    texts = [*project["dependencies"], *extras["tfds"], *extras["orbax"], *extras["test"]]
    asked = [Requirement(text) for text in texts if not text.startswith("cnnviz[")]
    return {canonicalize_name(each.name): next(iter(each.specifier)).version for each in asked}


def test_the_oldest_versions_that_are_allowed_are_those_that_the_lock_has():
    """Else `.ci/oldest` tests others, and a bound is a guess."""
    pinned = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / ".ci" / "oldest.txt").read_text(), re.MULTILINE)
    oldest = {}
    for name, version in pinned:  # some have one version per interpreter
        oldest[name] = min(Version(version), oldest.get(name, Version(version)))
    allowed = {name: Version(bound).release for name, bound in bounds().items()}
    others = {name: str(oldest[name]) for name, bound in allowed.items() if oldest[name].release[: len(bound)] != bound}
    assert others == {}
