"""What a report's page is told of images, units and layers."""

from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from cnnviz import networks
from cnnviz.pictures.picture import Picture
from cnnviz.report.again import again
from cnnviz.report.html import shown
from cnnviz.report.images import chosen, mistakes, shelves
from cnnviz.report.matrices import matrices
from cnnviz.report.trained import trained
from cnnviz.report.units import nearest

ORDER = np.array([3, 0, 2, 1])


class Small(nn.Module):
    """Four units that may change places."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        return nn.Dense(3, name="logits")(x.mean((1, 2)))


@pytest.fixture(scope="module")
def net():
    variables = Small().init(jax.random.key(0), jnp.zeros((1, 5, 5, 1)))
    return networks.open(Small(), variables, image_shape=(5, 5, 1), classes=("a", "b", "c"), name="one")


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (20, 5, 5, 1), np.uint8)


def test_a_unit_that_changed_its_place_is_the_nearest_one(net, pictures):
    params = net.variables["params"]
    conv = jax.tree.map(lambda leaf: leaf[..., ORDER], params["conv"])
    logits = params["logits"] | {"kernel": params["logits"]["kernel"][ORDER]}
    moved = {"params": {"conv": conv, "logits": logits}}
    other = replace(net, name="other", members=[moved])
    found, back = nearest([net, other], pictures)
    for place, unit in enumerate(ORDER.tolist()):
        first = found["conv"][unit][0]
        assert (first["network"], first["layer"], first["unit"]) == (1, "conv", place)
        assert first["correlation"] == pytest.approx(1, abs=1e-3)
        assert (back["conv"][place][0]["network"], back["conv"][place][0]["unit"]) == (0, unit)


def test_one_network_has_no_nearest_units(net, pictures):
    assert nearest([net], pictures) == [{}]


def test_mistakes_are_the_wrong_answers_the_surest_first():
    found = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.01, 0.99]])
    assert mistakes(found, np.array([0, 0, 0, 1])) == [2, 1]


def test_the_shelf_takes_classes_in_turn():
    assert chosen([1, 1, 0, 2, 0], 3) == [2, 0, 3, 4, 1]


def test_the_shelf_says_which_image_each_is_and_where_networks_differ(net, pictures):
    labels = np.arange(20, dtype=np.int32) % 3
    opposite = jax.tree.map(lambda leaf: -leaf, net.variables["params"]["logits"])
    other = replace(net, name="other", members=[{"params": net.variables["params"] | {"logits": opposite}}])
    found = shelves([net, other], pictures, labels, net.classes)
    groups = dict.fromkeys(each["group"] for each in found)
    assert list(groups) == [
        "Test images",
        "Confident mistakes of one",
        "Confident mistakes of other",
        "Where they differ",
    ]
    for each in found:
        assert each["label"] == labels[each["number"]]
        assert each["title"].startswith(f"test image {each['number']}: {net.classes[each['label']]}")


def test_one_logit_before_a_sigmoid_tells_two_classes_apart():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.sigmoid(nn.Dense(1)(x.reshape(len(x), -1)))

    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1), np.uint8)
    variables = Two().init(jax.random.key(0), np.zeros((1, 4, 4, 1), np.float32))
    net = networks.open(Two(), variables, image_shape=(4, 4, 1))
    labels = np.asarray(Two().apply(variables, net.prepare(images)))[:, 0] > 0.5
    assert len(set(labels.tolist())) == 2
    right = shelves([net], images, labels.astype(np.int32), ("a", "b"))
    wrong = shelves([net], images, 1 - labels.astype(np.int32), ("a", "b"))
    mistaken = lambda found: sum(each["group"] == "Confident mistakes" for each in found)
    assert [mistaken(right), mistaken(wrong)] == [0, 12]


def test_a_matrix_of_layers_is_found_by_its_records():
    row = {"measure": "m", "what": "similarity", "a": "one", "b": "two"}
    cells = [("x", "u", 0.5), ("x", "v", 0.25), ("y", "u", 1), ("y", "v", 0)]
    records = [row | {"layer of a": a, "layer of b": b, "value": value} for a, b, value in cells]
    chance = [record | {"what": "null", "value": 9} for record in records]
    pictures = [
        Picture("n", "Title", "", [*records, *chance], Figure),
        Picture("o", "Other", "", [{"value": 1}], Figure),
    ]
    (found,) = matrices(pictures, ["one", "two"])
    assert (found["rows"], found["columns"]) == (["x", "y"], ["u", "v"])
    assert found["values"] == [[0.5, 0.25], [1, 0]]
    assert matrices(pictures, ["one", "another"]) == []


def test_a_picture_is_made_again_by_a_command_and_an_expression(net):
    found = again({"layers": "cnnviz.pictures.layers:Layers"}, [net], ["runs/a b"], "cnnviz visualize")["layers"]
    assert found["command"] == "cnnviz visualize layers 'runs/a b'"
    *lines, made = found["python"].splitlines()
    assert "from cnnviz.pictures.layers import Layers" in lines
    assert made == "pictures = Layers()([networks.open('runs/a b')], Data())"
    compile(found["python"], "expression", "exec")


def test_a_run_says_how_it_was_trained(net, tmp_path):
    (tmp_path / "config.json").write_text('{"seeds": 3, "recipe": {"epochs": 2}}')
    (tmp_path / "environment.json").write_text('{"devices": ["cpu"]')  # cut off
    found = trained([net, replace(net, name="run", path=tmp_path)])
    assert found == {"configuration of run": {"seeds": 3, "recipe": {"epochs": 2}}}
    (tmp_path / "environment.json").write_text('{"devices": ["cpu"]}')
    assert trained([replace(net, name="run", path=tmp_path)])["environment of run"] == {"devices": ["cpu"]}


def test_records_of_provenance_are_readable_json():
    assert shown([{"name": "a", "seeds": [0]}]).splitlines()[2] == '  "name": "a",'
    assert [shown((28, 28, 1)), shown(18496), shown(None)] == ["28x28x1", "18,496", ""]
