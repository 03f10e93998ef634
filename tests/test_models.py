"""Contract of every network in MODELS: any class count, named layers, evaluation by default, BatchNorm's state."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.errors import InputError
from cnnviz.models import MODELS
from cnnviz.registry import resolve

OWN = ("cnn", "resnet", "dense")
SMALL = {  # the same families with less to compile
    "vgg11": {"convolutions": (1, 1), "norm": True, "channels": 4, "hidden": 8},
    "resnet50": {"blocks": (1, 1), "channels": 4},
    "mobilenet_v2": {"stages": ((1, 4, 1, 1, 3), (2, 8, 2, 2, 5)), "channels": 4, "features": 8},
    "convnext_tiny": {"blocks": (1, 1), "channels": 4},
}


@pytest.mark.parametrize(("name", "shape"), [*product(OWN, [(28, 28, 1), (32, 32, 3)]), *product(SMALL, [(32, 32, 3)])])
def test_every_model_gives_logits_and_names_its_layers(name, shape):
    model = resolve(MODELS, name, "model")(classes=7, **SMALL.get(name, {}))
    images = jax.random.uniform(jax.random.key(1), (3, *shape))
    variables = jax.jit(model.init)(jax.random.key(0), images)
    assert set(variables) <= {"params", "batch_stats"}
    layers = probe.layers(model, variables, shape)
    assert (layers[-1].name, layers[-1].shape) == ("logits", (7,))
    assert any(layer.kind in ("relu", "relu6", "gelu") for layer in layers)
    apply = jax.jit(model.apply, static_argnames=("train", "mutable"))
    logits = apply(variables, images)
    np.testing.assert_allclose(logits, probe.logits(model, variables, images), atol=1e-5)
    rngs = {"dropout": jax.random.key(2)}
    trained, changed = apply(variables, images, train=True, rngs=rngs, mutable=("batch_stats",))
    assert trained.shape == logits.shape
    assert ("batch_stats" in changed) == ("batch_stats" in variables)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("vgg16", {"convolutions": (10**9,)}),
        ("vgg16", {"convolutions": ()}),
        ("resnet18", {"blocks": (2, 0, 2, 2)}),
        ("resnet50", {"blocks": (2,) * 10**6}),
        ("mobilenet_v2", {"stages": ((1, 16, 10**9, 1, 3),)}),
        ("mobilenet_v2", {"stages": ((1, 16),)}),
        ("convnext_tiny", {"blocks": ("3",)}),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_numbers_of_blocks_that_no_network_has_are_refused(name, wrong):
    with pytest.raises(InputError, match="from 1"):
        resolve(MODELS, name, "model")(**wrong)


def test_the_first_weights_are_keras_s():
    variables = resolve(MODELS, "cnn", "model")().init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    conv1 = variables["params"]["conv1"]
    bound = np.sqrt(6 / (9 * 1 + 9 * 32))
    assert np.abs(conv1["kernel"]).max() <= bound
    assert np.std(conv1["kernel"]) == pytest.approx(bound / np.sqrt(3), rel=0.1)
    assert not conv1["bias"].any()


def test_an_unknown_model_is_told_the_nearest():
    with pytest.raises(InputError, match="'resnt' is not a model; did you mean 'resnet'"):
        resolve(MODELS, "resnt", "model")
