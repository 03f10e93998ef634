"""Class probabilities as networks make them: softmax, sigmoids, one sigmoid for two classes; and ranges of pixels."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import attribution, probe
from cnnviz.data import Dataset, Split
from cnnviz.errors import InputError
from cnnviz.interop.linen.activations import Function
from cnnviz.interop.linen.dense import Dense
from cnnviz.interop.linen.graph import chain
from cnnviz.interop.linen.reshaping import Flatten
from cnnviz.networks import Net
from cnnviz.networks.probabilities import probabilities
from cnnviz.networks.ranges import USUAL, better_range
from cnnviz.pictures.picture import Data
from cnnviz.pictures.predictions import Predictions, predict
from cnnviz.pictures.two_classes import per_class


def net_of(classes, activation):
    model = chain([("flat", Flatten()), ("end", Dense(classes, activation=Function(activation)))], (4, 4, 1))
    variables = model.init(jax.random.key(0), jnp.zeros((1, 4, 4, 1)))
    return Net("net", model, [variables], [variables], (4, 4, 1))


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), np.uint8)


@pytest.mark.parametrize(("activation", "ending"), [("linear", "none"), ("softmax", "softmax"), ("sigmoid", "sigmoid")])
def test_predictions_are_the_networks_own_numbers(activation, ending, pixels):
    net = net_of(3, activation)
    assert net.ending == ending
    assert net.class_count == 3
    own = net.model.apply(net.variables, net.prepare(pixels))
    expected = jax.nn.softmax(own) if ending == "none" else own
    np.testing.assert_allclose(predict(net, pixels), expected, atol=1e-6)


def test_one_sigmoid_is_two_classes(pixels):
    net = net_of(1, "sigmoid")
    assert net.class_count == 2
    p = net.model.apply(net.variables, net.prepare(pixels))
    np.testing.assert_allclose(predict(net, pixels), np.concatenate([1 - p, p], 1), atol=1e-6)
    assert net_of(1, "linear").class_count == 1


@pytest.mark.parametrize("logit", [1000.0, -1000.0, 0.0])
def test_probabilities_do_not_overflow(logit):
    with np.errstate(all="raise", under="ignore"):
        found = probabilities(np.array([[logit]]), "sigmoid")
    np.testing.assert_array_equal(found.sum(1), 1)
    assert found[0, 1] == {1000.0: 1, -1000.0: 0, 0.0: 0.5}[logit]


def test_a_sigmoid_written_by_hand_is_found(pixels):
    import flax.linen as nn

    class ByHand(nn.Module):
        @nn.compact
        def __call__(self, x):
            return 1 / (1 + jnp.exp(-nn.Dense(3)(x.reshape(len(x), -1))))

    variables = ByHand().init(jax.random.key(0), jnp.zeros((1, 4, 4, 1)))
    assert probe.ending(ByHand(), variables, (4, 4, 1)) == "sigmoid"
    z = nn.Dense(3).apply({"params": variables["params"]["Dense_0"]}, pixels.reshape(40, -1) / 255.0)
    np.testing.assert_allclose(probe.logits(ByHand(), variables, jnp.float32(pixels) / 255), z, atol=1e-5)


def test_each_of_two_classes_has_a_score_of_its_own(pixels):
    net = net_of(1, "sigmoid")
    images = net.prepare(pixels[:4])
    kernel = np.asarray(net.variables["params"]["end"]["kernel"]).reshape(4, 4)
    ask = lambda own, images, targets, labels=None: attribution.attribute(
        "input_x_gradient", net.model, own, images, targets, labels=labels, key=jax.random.key(0), details=True
    )
    found = lambda targets: (
        per_class(ask, net, net.variables, images=images, targets=targets, labels=np.array([1, 1, 0, 1])).maps
    )
    gradient = np.asarray(images)[..., 0] * kernel
    z = np.asarray(probe.logits(net.model, net.variables, images))[:, 0]
    factors = {(0, 1, 1, 0): [-1, 1, 1, -1], "label": [1, 1, -1, 1], "predicted": np.sign(z)}
    for targets, signs in factors.items():
        asked = targets if isinstance(targets, str) else np.array(targets)
        np.testing.assert_allclose(found(asked), gradient * np.asarray(signs)[:, None, None], atol=1e-6)
    np.testing.assert_allclose(found((1, 0)), 2 * gradient, atol=1e-6)
    with pytest.raises(InputError, match="A target is a class from 0 to 1; it was 2."):
        found(2)


def test_predictions_of_two_classes_are_drawn(pixels):
    labels = np.arange(40, dtype=np.int32) % 2
    split = Split(pixels, labels)
    data = Data(lambda: Dataset("two", split, split, ("cat", "dog"), "", ""))
    one, confusion, *_ = Predictions()([net_of(1, "sigmoid")], data)
    assert [record["class"] for record in one.numbers] == ["cat", "dog"]
    np.testing.assert_allclose(sum(record["probability"] for record in one.numbers), 1)
    assert np.sum(confusion.numbers["counts"]) == 40


@pytest.mark.parametrize("name", ["0 to 1", "0 to 255", "-1 to 1"])
def test_a_range_that_the_network_was_not_trained_on_is_noticed(name, pixels):
    """A network that tells bright from dark by the sign that its range gives to the mean."""
    bright = np.arange(40) % 2
    images = np.where(bright[:, None, None, None], 200, 90).astype(np.uint8) + pixels // 16
    middle, light = (float(np.mean(USUAL[name](np.full((1, 1, 1, 1), value, np.uint8)))) for value in (150, 200))
    kernel = np.stack([-np.ones(16), np.ones(16)], 1) / (light - middle)
    end = {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.array([16, -16.0]) * middle / (light - middle)}
    net = replace(net_of(2, "softmax"), members=[{"params": {"end": end}}])
    assert better_range(replace(net, prepare=USUAL[name]), images, bright) is None
    for other in USUAL.keys() - {name}:
        found = better_range(replace(net, prepare=USUAL[other]), images, bright)
        assert (found.name, found.prepare, found.right, found.count) == (name, USUAL[name], 40, 40)
        assert found.own <= 40
