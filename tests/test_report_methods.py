"""What a report's page is told of methods: how far the maps of seeds agree, and the metrics of a table made before."""

import base64
from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from cnnviz import data, networks
from cnnviz.attribution import attribute
from cnnviz.commands import report as command
from cnnviz.metrics.evidence import interval
from cnnviz.metrics.measuring import measure
from cnnviz.pictures.evidence import Asked, Subject, gathered
from cnnviz.pictures.picture import Data
from cnnviz.report.methods import METHODS, methods


class Net(nn.Module):
    """A convolution and a dense layer."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(3, (3, 3), name="conv")(x))
        return nn.Dense(2, name="logits")(x.reshape(len(x), -1))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A network of two seeds with a folder, and twelve images."""
    folder, rng = tmp_path_factory.mktemp("run"), np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 6, 6, 1), np.uint8)
    rows = {"x_train": images, "y_train": np.arange(12) % 2, "x_test": images, "y_test": np.arange(12) % 2}
    np.savez(folder / "toy.npz", **rows)
    members = [Net().init(jax.random.key(seed), jnp.zeros((1, 6, 6, 1))) for seed in (0, 1)]
    net = networks.open(Net(), members[0], image_shape=(6, 6, 1), name="two")
    return replace(net, members=members, seeds=(0, 1), path=folder), data.load(str(folder / "toy.npz"))


def test_the_maps_of_two_seeds_agree_as_scipy_says(shown):
    net, dataset = shown
    images = dataset.test.images
    found = methods(net, images, Data(lambda: dataset))
    assert set(found) == set(METHODS)
    pixels = net.prepare(images)
    targets = np.asarray(Net().apply(net.members[0], pixels)).argmax(-1)
    maps = [np.asarray(attribute("gradient", Net(), own, pixels, targets)) for own in net.members]
    ranks = [spearmanr(one.ravel(), other.ravel()).statistic for one, other in zip(*maps, strict=True)]
    agreed = found["gradient"]["agreement"]
    assert agreed["rank"] == pytest.approx(np.mean(ranks), abs=1e-5)
    assert (agreed["seeds"], agreed["images"]) == (2, 12)
    assert abs(agreed["baseline"]) < 1
    assert "metrics" not in found["gradient"]  # no table was made


def test_maps_over_seeds_are_their_mean_and_deviation_with_8_bits(shown):
    net, dataset = shown
    images, numbers = dataset.test.images, [7, 2, 7]
    found = methods(net, images, Data(lambda: dataset), numbers)["gradient"]["spread"]
    assert (found["seeds"], found["shape"], list(found["images"])) == (2, [6, 6], ["7", "2"])
    for number in (7, 2):
        own, pixels = found["images"][str(number)], net.prepare(images[[number]])
        target = int(np.asarray(Net().apply(net.members[0], pixels)).argmax())
        assert own["target"] == target
        maps = np.concatenate([np.asarray(attribute("gradient", Net(), each, pixels, target)) for each in net.members])
        maps = maps / np.abs(maps).max((1, 2), keepdims=True)
        for name, expected in {"mean": maps.mean(0), "deviation": maps.std(0, ddof=1)}.items():
            bits = np.frombuffer(base64.b64decode(own[name]["bytes"]), np.int8).reshape(6, 6)
            np.testing.assert_allclose(bits * own[name]["size"] / 127, expected, atol=own[name]["size"] / 250)


def test_maps_over_seeds_are_kept_for_as_many_images_as_there_is_room_for(shown, monkeypatch):
    net, dataset = shown
    monkeypatch.setattr("cnnviz.report.methods.SPREADS", 1000)  # an image's eight maps of 36 values take 385
    found = methods(net, dataset.test.images, Data(lambda: dataset), [7, 2, 5])
    assert [list(each["spread"]["images"]) for each in found.values()] == [["7", "2"]] * 4
    assert "spread" not in methods(net, dataset.test.images, Data(lambda: dataset))["gradient"]


def test_metrics_are_those_of_the_table_that_was_made(shown):
    net, dataset = shown
    one, given = net.only(0), Data(lambda: dataset)
    assert methods(one, dataset.test.images, given) == {}
    (one.path / "evidence").mkdir(exist_ok=True)  # of other methods, images or weights
    assert methods(one, dataset.test.images, given) == {}
    subject = Subject.of(Asked("gradient", "deletion", None, "test", None, 0), one, given)
    gathered(subject, given, None)
    found = methods(one, dataset.test.images, given)
    assert set(found) == {"gradient"}  # of the others nothing is known
    (row,) = found["gradient"]["metrics"]
    maps = attribute("gradient", Net(), one.variables, subject.images, subject.targets)
    values = measure("deletion", Net(), one.variables, subject.images, subject.targets, maps, key=jax.random.key(0))
    numbers = [row["mean"], row["low"], row["high"]]
    np.testing.assert_allclose(numbers, interval(np.asarray(values)[None]), rtol=1e-4)
    assert (row["name"], row["better"], row["images"]) == ("deletion", "lower", 12)
    assert isinstance(row["isBetter"], bool)


def test_a_layer_less_network_has_no_grad_cam(shown):
    class Dense(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(x.reshape(len(x), -1))

    net, dataset = shown
    members = [Dense().init(jax.random.key(seed), jnp.zeros((1, 6, 6, 1))) for seed in (0, 1)]
    dense = replace(networks.open(Dense(), members[0], image_shape=(6, 6, 1), name="dense"), members=members)
    found = methods(replace(dense, seeds=(0, 1)), dataset.test.images, Data(lambda: dataset))
    assert set(found) == set(METHODS) - {"grad_cam"}


def test_images_of_the_shelf_have_maps_over_seeds(shown):
    net, dataset = shown
    _, payload, (found,) = command._data([net], [net.first], Data(lambda: dataset))
    numbers = {str(each["number"]) for each in payload["shelf"]}
    assert set(found["methods"]["gradient"]["spread"]["images"]) == numbers
    assert len(numbers) > 1
