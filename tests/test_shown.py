"""What an interpreter prints of an object, and what a notebook shows: a line, or a picture, and never an array."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import kernels, networks
from cnnviz.attribution import attribute
from cnnviz.data.dataset import Dataset, Split
from cnnviz.graph.graph import Graph
from cnnviz.models.cnn import CNN
from cnnviz.pictures.kernels import Kernels
from cnnviz.pictures.picture import Data
from cnnviz.runs.run import Run
from cnnviz.types import Arrays

NAME = "<b>&\x1b[2J\u202e"


@pytest.fixture(scope="module")
def net():
    model = CNN(10)
    variables = jax.jit(lambda key: model.init(key, jnp.zeros((1, 28, 28, 1))))(jax.random.key(0))
    return networks.open(model, variables, image_shape=(28, 28, 1), name=NAME, classes=tuple("abcdefghij"))


@pytest.fixture(scope="module")
def maps(net):
    images = jnp.zeros((2, 28, 28, 1))
    return attribute("grad_cam", net.model, net.variables, images, 0, details=True)


@pytest.fixture(scope="module")
def dataset():
    images = np.zeros((12, 8, 8, 1), np.uint8)
    split = Split(images, np.arange(12, dtype=np.int32) % 3)
    return Dataset(NAME, split, split, ("a", NAME, "c"), "0" * 64, "here")


@pytest.fixture(scope="module")
def graph():
    return Graph.of(lambda x: jax.nn.relu(x @ x).sum(), np.ones((4, 4)))[0]


def everything(net, maps, dataset, graph):
    run = Run(**{name: getattr(net, name) for name in net.__dataclass_fields__})
    picture, *_ = Kernels()([net], Data())
    split = dataset.train
    return [net, net.first, run, picture, maps, dataset, split, graph, graph.nodes[0], graph.inputs[0]]


def test_objects_print_as_one_short_line_without_arrays(net, maps, dataset, graph):
    for one in everything(net, maps, dataset, graph):
        text = repr(one)
        assert len(text) < 400
        assert text.isprintable()
        assert type(one).__name__ in text or one in (graph.nodes[0], graph.inputs[0])


def test_the_members_of_a_network_print_small_and_stay_a_list_to_jax(net):
    several: Any = replace(net, members=[net.variables] * 2, beginnings=[net.variables] * 2, seeds=(0, 1))
    assert repr(several.members) == "Members(2 networks, 333,526 parameters)"
    assert repr(several.only(1).beginnings) == "Members(1 network, 333,526 parameters)"
    doubled = jax.jit(lambda tree: jax.tree.map(lambda x: 2 * x, tree))(several.members)
    assert isinstance(doubled, list)
    paths = [jax.tree_util.tree_leaves_with_path(tree) for tree in (several.members, [*several.members])]
    assert [path for path, _ in paths[0]] == [path for path, _ in paths[1]]


def test_objects_say_what_they_are(net, maps, dataset, graph):
    assert repr(net).endswith("CNN, 333,526 parameters, images 28x28x1, 10 classes)")
    assert repr(dataset).endswith("12 train and 12 test images 8x8x1, 3 classes)")
    assert repr(dataset.test) == "Split(12 images 8x8x1, labels 0 to 2)"
    assert repr(maps) == "Attribution(maps float32[2, 28, 28], relu2 float32[2, 14, 14])"
    assert repr(graph.nodes[0]) == "dot_general(float32[4, 4], float32[4, 4]) -> float32[4, 4]"


def test_a_notebook_shows_a_network_s_layers_a_data_set_s_classes_and_a_graph_s_nodes(net, dataset, graph):
    assert "<td>conv1</td>" in net._repr_html_()
    assert '<img alt="' in dataset._repr_html_()
    assert "dot_general" in graph._repr_html_()
    for one in (net, dataset, graph):
        assert "<b>" not in one._repr_html_()
        assert "\x1b" not in one._repr_html_()


def test_arrays_by_name_print_their_shapes_and_stay_a_dict_to_jax(net):
    found: Any = kernels.kernels(net.variables)
    assert repr(found) == "{'conv1': float32[3, 3, 1, 32], 'conv2': float32[3, 3, 32, 64]}"
    assert "<tr><td>conv1</td><td>float32[3, 3, 1, 32]</td></tr>" in found._repr_html_()
    assert len(repr(kernels.weights(net.variables))) < 200
    doubled = jax.jit(lambda tree: jax.tree.map(lambda x: 2 * x, tree))(found)
    assert list(doubled) == list(found)
    np.testing.assert_array_equal(doubled["conv2"], 2 * np.asarray(found["conv2"]))
    paths = [jax.tree_util.tree_flatten_with_path(tree)[0][0][0] for tree in (found, dict(found))]
    assert paths[0] == paths[1]
    hostile = Arrays({NAME: np.zeros(3)})
    assert repr(hostile).isprintable()
    assert "<b>" not in hostile._repr_html_()
