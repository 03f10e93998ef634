"""A network from anywhere as one object, and how its images are prepared."""

from dataclasses import asdict, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import networks, probe, runs
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.networks import Prepare, Where, model
from cnnviz.networks.model import Drawn
from cnnviz.training.recipe import Recipe

PIXELS = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)


def test_by_default_pixels_are_divided_by_255():
    np.testing.assert_array_equal(Prepare()(PIXELS), jnp.asarray(PIXELS, jnp.float32) / 255)  # the same bits
    assert 1 / Prepare().scale == 255
    assert Prepare()(PIXELS).dtype == jnp.float32


@pytest.mark.parametrize("channels", [1, 3])
def test_mean_and_deviation_go_by_channel(channels):
    mean, deviation = [0.1, 0.2, 0.3][:channels], [0.5, 2.0, 4.0][:channels]
    pixels = PIXELS[..., :channels]
    expected = (pixels.astype(np.float64) / 127.5 - mean) / deviation
    found = Prepare(scale=1 / 127.5, mean=tuple(mean), deviation=tuple(deviation))(pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        jax.jit(Prepare(mean=tuple(mean)))(pixels[0]), pixels[0] / 255 - np.array(mean), atol=1e-6
    )


def test_a_preparation_is_read_from_its_description():
    one = Prepare(scale=0.5, mean=(1.0, 2.0, 3.0), deviation=(4.0,))
    assert Prepare.read(one.described()) == one
    assert Prepare.read("float32(pixel) / 255") == Prepare.read(None) == Prepare()


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"scale": 0}, "prepare.scale is a positive, finite number; it was 0.0."),
        ({"scale": "1/255"}, "prepare holds numbers; '1/255' is not one."),
        ({"deviation": [0.0]}, "prepare.deviation has positive, finite numbers; it was [0.0]."),
        ({"mean": [float("nan")]}, "prepare.mean has finite numbers; it was [nan]."),
        ({"mean": 0.5}, "prepare.mean is a list of numbers; it was 0.5."),
        ({"std": [1.0]}, "prepare is a mapping of scale, mean, deviation; it was {'std': [1.0]}."),
        ("float32(pixel)", "prepare is a mapping of scale, mean, deviation; it was 'float32(pixel)'."),
    ],
)
def test_a_description_that_cannot_be_obeyed_is_one_sentence(described, message):
    with pytest.raises(InputError) as error:
        Prepare.read(described)
    assert str(error.value) == message


def test_numbers_for_other_channels_are_one_sentence():
    with pytest.raises(InputError, match=r"prepare.mean has 2 numbers; images of 3 channels need 3\."):
        Prepare(mean=(0.1, 0.2))(PIXELS)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("runs/x", ("runs/x", None, None)),
        ("runs/x@3", ("runs/x", None, 3)),
        ("runs/x:step_400", ("runs/x", 400, None)),
        ("runs/x:step_400@-1", ("runs/x", 400, -1)),
        ("runs/a@b", ("runs/a@b", None, None)),
    ],
)
def test_where_a_network_is(text, where):
    found = Where.read(text)
    assert (str(found.path), found.step, found.seed) == where


def test_a_path_that_exists_is_taken_as_it_stands(tmp_path):
    (tmp_path / "x@3").mkdir()
    assert Where.read(tmp_path / "x@3") == Where(tmp_path / "x@3")


def test_what_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(
        InputError, match=r"x does not exist; give a run's directory or a file \(\.h5, \.hdf5, \.keras\)"
    ):
        networks.open(tmp_path / "x")


def test_a_keras_file_is_a_network_with_a_fresh_twin():
    net = networks.open("tests/goldens/keras/keras2_chapter.h5", seed=3)
    assert (net.name, net.image_shape, net.path) == ("keras2_chapter", net.model.image_shape, None)
    kernel = lambda variables: jax.tree.leaves(variables)[1]
    assert jax.tree.structure(net.untrained) == jax.tree.structure(net.variables)
    assert (kernel(net.untrained) != kernel(networks.open("tests/goldens/keras/keras2_chapter.h5").untrained)).any()
    with pytest.raises(InputError, match="holds one network, without steps or seeds; only a run has them"):
        networks.open("tests/goldens/keras/keras2_chapter.h5@2")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two networks before its first step, with colour images prepared by channel."""
    path = tmp_path_factory.mktemp("runs") / "two"
    prepare = Prepare(scale=0.5, mean=(1.0, 2.0, 3.0), deviation=(2.0,))
    data = {"name": "x", "title": "x", "fingerprint": "", "classes": ["a", "b"], "image_shape": [8, 8, 3]}
    config = {"model": "dense", "recipe": asdict(Recipe(seed=4)), "seeds": 2, "prepare": prepare.described()}
    runs.create(path, config | {"data": data | {"limit": None, "dir": None}}, {})
    return path


def test_a_runs_preparation_is_obeyed(run):
    net = networks.open(run)
    np.testing.assert_allclose(net.prepare(PIXELS), (PIXELS * 0.5 - [1, 2, 3]) / 2, atol=1e-5)
    assert net.prepare == runs.load_run(run).prepare == runs.load_config(run).prepare


def test_a_member_and_a_step_of_a_run(run):
    net = networks.open(run)
    assert (net.seeds, len(net.members), net.name) == ((4, 5), 2, "two")
    one = networks.open(f"{run}@5")
    assert (one.seeds, one.name) == ((5,), "two (seed 5, one of 2)")
    assert all(map(np.array_equal, jax.tree.leaves(one.variables), jax.tree.leaves(net.members[1])))
    assert networks.open(f"{run}:step_0@4").name == "two at step 0 (seed 4, one of 2)"
    with pytest.raises(InputError, match=r"The run .*two has no seed 9; it has 4, 5\."):
        networks.open(f"{run}@9")
    with pytest.raises(InputError, match=r"The run .*two keeps no step 400; it keeps 0\."):
        networks.open(f"{run}:step_400")


def test_a_title_names_the_data_set_unless_the_network_is_called_so_and_the_output_that_was_chosen(run):
    net = networks.open(str(run))
    assert net.title == f"{net.name} ({net.dataset})"
    assert replace(net, name=net.dataset).title == net.dataset
    of_one = replace(net, model=probe.OneOutput(net.model, "kind"))
    assert of_one.title == f"{net.name} ({net.dataset}, output kind)"


def test_the_untrained_twin_of_many_layers_is_drawn_array_by_array(monkeypatch):
    few, many = Drawn(CNN(), (28, 28, 1), 3), Drawn(CNN(), (28, 28, 1), 3)
    compiled = few[0]
    monkeypatch.setattr(model, "MOST_COMPILED", 0)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), compiled, many[0])
