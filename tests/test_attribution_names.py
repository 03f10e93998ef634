"""Every method by its class, and files that do not import each other in a circle."""

import ast
import importlib
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import jax
import numpy as np
import pytest

import cnnviz.attribution
from cnnviz.attribution import METHODS, GradCAM, attribute, build
from cnnviz.models.cnn import CNN
from cnnviz.registry import resolve

ROOM = Path(cnnviz.attribution.__file__).parent
CLASSES = {path.partition(":")[2]: name for name, path in METHODS.items()}


@pytest.mark.parametrize("name", CLASSES)
def test_a_method_class_is_imported_from_the_room_and_listed(name):
    assert getattr(cnnviz.attribution, name) is resolve(METHODS, CLASSES[name], "method")
    assert name in dir(cnnviz.attribution)
    assert name in (cnnviz.attribution.__doc__ or "")


def test_editors_see_the_classes_that_there_are():
    """What is imported for type checkers is what `__getattr__` finds."""
    (block,) = [node for node in ast.parse((ROOM / "__init__.py").read_text()).body if isinstance(node, ast.If)]
    seen = {(node.module, name.asname) for node in block.body for name in node.names}
    assert {name for _, name in seen} == {*CLASSES, *cnnviz.attribution._HOMES}
    for module, name in seen:
        assert getattr(importlib.import_module(module), name) is getattr(cnnviz.attribution, name)


def test_an_unknown_name_is_an_attribute_error_and_a_class_is_loaded_when_it_is_asked_for():
    with pytest.raises(AttributeError, match="no attribute 'GradCam'"):
        cnnviz.attribution.GradCam  # noqa: B018
    check = "import sys, cnnviz.attribution; print('jax' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOM.parents[1]
    )
    assert found.stdout.split() == ["False"]


def test_a_class_and_a_method_are_as_good_as_a_name():
    images = jax.random.uniform(jax.random.key(1), (2, 8, 8, 1))
    variables = CNN(classes=2).init(jax.random.key(0), images)
    ask = lambda method, **options: attribute(method, CNN(classes=2), variables, images, 1, **options)
    by_name = ask("grad_cam", layers="relu1")
    for method in (GradCAM(layers="relu1"), build(GradCAM, layers="relu1"), build(GradCAM(), layers="relu1")):
        np.testing.assert_array_equal(ask(method), by_name)
    np.testing.assert_array_equal(ask(GradCAM, layers="relu1"), by_name)


def test_no_files_of_the_room_import_each_other_in_a_circle():
    graph = {}
    for path in ROOM.rglob("*.py"):
        parts = path.relative_to(ROOM.parents[1]).with_suffix("").parts
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        graph[".".join(parts).removesuffix(".__init__")] = {node.module for node in nodes}
    TopologicalSorter(graph).prepare()  # raises CycleError
