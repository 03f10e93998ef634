"""Contract of every network in MODELS: any class count, tapped layers, evaluation by default, BatchNorm's state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.errors import InputError
from cnnviz.models import MODELS
from cnnviz.registry import resolve


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
def test_every_model_gives_logits_and_names_its_layers(name, shape):
    model = resolve(MODELS, name, "model")(classes=7)
    images = jax.random.uniform(jax.random.key(1), (3, *shape))
    variables = jax.jit(model.init)(jax.random.key(0), images)
    assert set(variables) <= {"params", "batch_stats"}
    layers = probe.layers(model, variables, shape)
    assert (layers[-1].name, layers[-1].shape) == ("logits", (7,))
    assert any(layer.kind == "relu" for layer in layers)
    logits = model.apply(variables, images)
    np.testing.assert_allclose(logits, probe.logits(model, variables, images), atol=1e-5)
    trained, changed = model.apply(
        variables, images, train=True, rngs={"dropout": jax.random.key(2)}, mutable=["batch_stats"]
    )
    assert trained.shape == logits.shape
    assert ("batch_stats" in changed) == ("batch_stats" in variables)


def test_the_first_weights_are_keras_s():
    variables = resolve(MODELS, "cnn", "model")().init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    conv1 = variables["params"]["conv1"]
    bound = np.sqrt(6 / (9 * 1 + 9 * 32))
    assert np.abs(conv1["kernel"]).max() <= bound
    assert np.std(conv1["kernel"]) == pytest.approx(bound / np.sqrt(3), rel=0.1)
    assert not conv1["bias"].any()


def test_an_unknown_model_is_told_the_nearest():
    with pytest.raises(InputError, match="no model named 'resnt'; did you mean 'resnet'"):
        resolve(MODELS, "resnt", "model")
