"""Every method at a layer: as if the network began there."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import attribute
from cnnviz.attribution.replaced import from_layer
from cnnviz.errors import InputError
from cnnviz.probe import score_of

KEY = jax.random.key(2)
IMAGES = np.asarray(jax.random.uniform(KEY, (2, 6, 6, 2)))


class Top(nn.Module):
    """What comes after the layer."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(3, (3, 3), name="conv2")(x))
        return nn.Dense(3, name="logits")(x.mean((1, 2)))


class Network(nn.Module):
    """A layer, and `Top` after it."""

    @nn.compact
    def __call__(self, x):
        return Top(name="top")(nn.relu(nn.Conv(4, (3, 3), name="conv1")(x)))


VARIABLES = Network().init(KEY, IMAGES)
TOP = {"params": VARIABLES["params"]["top"]}


def layer(images):
    bottom = VARIABLES["params"]["conv1"]
    return nn.relu(jnp.asarray(nn.Conv(4, (3, 3)).apply({"params": bottom}, images)))


HERE = layer(IMAGES)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gradient", {}),
        ("lrp_epsilon", {}),
        ("lrp_epsilon_plus", {}),
        ("feature_ablation", dict(mask="grid:3", infill=0.3)),
        ("occlusion", dict(window=(2, 3), infill=0.0)),
        ("shapley_sampling", dict(mask="grid:2", samples=2)),
    ],
)
def test_a_method_at_a_layer_is_that_of_the_network_after_it(name, options):
    ask: Any = dict(key=KEY, channels="keep", **options)
    found = attribute(name, Network(), VARIABLES, IMAGES, 1, at="relu", upsampling=None, **ask)
    expected = attribute(name, Top(), TOP, HERE, 1, **ask)
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(jnp.abs(expected).max()))


def test_a_baseline_is_an_image_s_values_of_the_layer():
    found = attribute("deep_lift", Network(), VARIABLES, IMAGES, 1, at="relu", channels="keep", baseline="mean",
                      details=True)  # fmt: skip
    means = np.broadcast_to(IMAGES.mean((1, 2), keepdims=True), IMAGES.shape)
    expected = attribute("deep_lift", Top(), TOP, HERE, 1, channels="keep", baseline=layer(means))
    np.testing.assert_allclose(found.layers["relu"], expected, atol=1e-5)
    np.testing.assert_allclose(found.gap, 0, atol=1e-5)


def test_a_score_from_a_layer_ignores_the_image_before_it():
    score = score_of(Network(), VARIABLES, 1)
    here, after = from_layer(score, jnp.asarray(IMAGES[0]), "relu")
    np.testing.assert_allclose(here, HERE[0], atol=1e-6)
    top = lambda value: jnp.asarray(Top().apply(TOP, value[None]))[0, 1]
    np.testing.assert_allclose(after(2 * here, {})[0], top(2 * here), rtol=1e-5)
    np.testing.assert_allclose(after(here, {"relu": here})[0], top(2 * here), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("grad_cam", dict(at="relu"), "GradCAM looks at layers by itself: name them as layers="),
        ("gradient", dict(at=("relu", "conv1")), "one layer at a time"),
        ("gradient", dict(at="relu9"), "'relu9' is not a layer"),
        ("feature_ablation", dict(at="relu", mask="slic"), "is found in images, not in the values of a layer"),
        ("feature_ablation", dict(at="relu", mask=np.eye(3, dtype=int)), r"has the shape of an image, \(6, 6\)"),
    ],
)
def test_what_cannot_be_at_a_layer_is_said(name, options, text):
    with pytest.raises(InputError, match=text):
        attribute(name, Network(), VARIABLES, IMAGES, 1, **options)
