"""The floors: a module imports only lower ones, and light parts stay light."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cnnviz"
FLOORS = [
    {"errors", "types", "graph"},
    {"registry", "atomic", "batching", "kernels", "fast"},
    {"models", "interop", "probe", "propagation"},
    {"data", "training", "attribution", "networks"},
    {"runs", "units", "metrics", "comparison"},
    {"pictures"},
    {"report"},
    {"commands"},
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names if node.module == "cnnviz")
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_lower_floors(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):  # the package's face
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "cnnviz" or len(parts) < 2 or parts[1] in (room, "__version__"):
            continue
        other = parts[1]
        if room == "figures":
            pytest.fail(f"figures know arrays only, not {name}") if other != "errors" else None
        elif other == "figures":
            assert room in ("pictures", "commands"), f"{room} imports {name}"
        else:
            assert FLOOR[other] < FLOOR[room], f"{room} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_commands_print(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    prints = any(isinstance(call, ast.Name) and call.id == "print" for call in calls)
    assert not prints or path.relative_to(PACKAGE).parts[0] == "commands"


def modules_imported(path, modules):
    """The modules of cnnviz that a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from {name if name in modules else node.module for name in names} & modules
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & modules


def test_no_files_import_each_other_in_a_circle():
    name_of = lambda path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    modules = {name_of(path) for path in FILES}
    graph = {name_of(path): set(modules_imported(path, modules)) - {name_of(path)} for path in FILES}
    TopologicalSorter(graph).prepare()  # raises CycleError, which lists the circle


def test_attributions_seam_holds_no_tensorflow():
    files = [path for path in FILES if "export" not in path.parts]  # which writes what Keras itself makes
    assert not any(name.split(".")[0] in ("tensorflow", "keras", "torch") for path in files for name in imports(path))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("cnnviz", "jax flax numpy matplotlib"),
        ("cnnviz.models", "jax flax matplotlib"),
        ("cnnviz.data", "jax matplotlib tensorflow_datasets"),
        ("cnnviz.pictures", "jax matplotlib"),
        ("cnnviz.figures", "jax"),
        *[(f"cnnviz.figures.{path.stem}", "jax") for path in sorted((PACKAGE / "figures").glob("[a-z]*.py"))],
        ("cnnviz.probe", "matplotlib tensorflow_datasets"),
        ("cnnviz.commands.train", "jax flax matplotlib tensorflow_datasets"),
        ("cnnviz.commands.visualize", "jax flax matplotlib tensorflow_datasets"),
    ],
)
def test_importing_a_part_does_not_drag_in_another(module, absent):
    check = f"import sys, {module}; print(*[name for name in {absent.split()!r} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert found.stdout.split() == []
