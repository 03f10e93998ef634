"""LRP: its laws, and composites; its rules' formulas are in test_propagation_dense.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import build
from cnnviz.attribution.shapes import evaluate
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.propagation import lrp
from cnnviz.propagation.composites import COMPOSITES, epsilon_gamma_box, first, layer

KEY = jax.random.key(0)


def values(composite, score, image):
    return jax.jit(lambda image: evaluate(build("lrp", composite=composite), score, image, KEY))(image)


# By hand


def test_flat_shares_equally():
    score = lambda x, _: (x.ravel() @ jnp.array([1.0, -5.0, 2.0, 0.0]), {})
    image = jnp.array([1.0, 1.0, 5.0, 9.0]).reshape(2, 2, 1)
    np.testing.assert_allclose(values([(first, lrp.Flat())], score, image), jnp.full((2, 2, 1), 6 / 4), rtol=1e-5)


# Laws


@pytest.fixture(scope="module")
def network():
    """The default network with no biases, its score and an image."""
    model, image = CNN(), jax.random.uniform(KEY, (28, 28, 1))
    variables = jax.jit(model.init)(KEY, image[None])
    return model, variables, probe.score_of(model, variables, 3), image


@pytest.mark.parametrize("composite", ["zero", "epsilon_plus", "epsilon_gamma_box", "epsilon_plus_flat"])
def test_without_biases_the_score_is_conserved(network, composite):
    *_, score, image = network
    found = values(composite, score, image)
    assert np.isclose(found.sum(), score(image, {})[0], rtol=1e-3)


@pytest.mark.parametrize("biased", [False, True])
def test_lrp_0_is_input_times_gradient_on_networks_of_relus(network, biased):
    model, variables, score, image = network
    if biased:
        score = probe.score_of(model, jax.tree.map(lambda a: a + 0.01, variables), 3)
    found = values("zero", score, image)
    due = image * jax.grad(lambda image: score(image, {})[0])(image)
    np.testing.assert_allclose(found, due, atol=1e-4 * np.abs(due).max())


def test_z_plus_keeps_its_sign(network):
    *_, score, image = network
    sign = np.sign(score(image, {})[0])
    found = values([(layer, lrp.ZPlus())], score, image)
    assert (found * sign >= 0).all()


def test_a_box_is_carried_to_where_the_layer_reads():
    """A network that prepares its own pixels reads as one that is given them prepared."""
    kernel = jax.random.normal(KEY, (3, 3, 1, 2))
    options = {"window_strides": (1, 1), "padding": "VALID", "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    plain = lambda x, _: (jax.nn.relu(jax.lax.conv_general_dilated(x[None], kernel, **options)).sum(), {})
    inside = lambda x, _: plain(jnp.pad((x - 0.5) / 0.25, ((1, 1), (1, 1), (0, 0))), _)
    image = jax.random.uniform(KEY, (6, 6, 1))
    prepared = jnp.pad((image - 0.5) / 0.25, ((1, 1), (1, 1), (0, 0)))
    low, high = (jnp.pad(jnp.full((6, 6, 1), end), ((1, 1), (1, 1), (0, 0))) for end in (-2.0, 2.0))
    w = np.asarray(jax.jacobian(lambda x: jax.lax.conv_general_dilated(x[None], kernel, **options))(prepared))
    w, ends = w.reshape(-1, 64).astype(np.float64), [np.ravel(a) for a in (prepared, low, high)]
    parts = w * ends[0] - np.maximum(w, 0) * ends[1] - np.minimum(w, 0) * ends[2]
    relevance, total = np.maximum(w @ ends[0], 0), parts.sum(1)
    due = (relevance / (total + np.copysign(1e-6, total)) @ parts).reshape(8, 8, 1)[1:-1, 1:-1]
    np.testing.assert_allclose(values(epsilon_gamma_box(0.0, 1.0), inside, image), due, rtol=1e-4, atol=1e-5)


# Composites


def test_rules_are_chosen_by_depth_and_kind(network):
    *_, score, image = network
    chosen = []
    noting = lambda step: chosen.append((step.place, step.depth)) or False
    values([(noting, lrp.Flat()), (layer, lrp.Epsilon())], score, image)
    places = [("CNN/conv1", 0), ("CNN/conv2", 1), ("CNN/dense1", 2), ("CNN/logits", 3)]
    assert set(places) <= set(chosen)


def test_a_composite_of_ones_own(network):
    *_, score, image = network
    mine = [
        (first, lrp.Flat()),
        (lambda step: step.depth < 2, lrp.Gamma(0.5)),
        (layer, lrp.Epsilon(0.25)),
    ]
    found = values(mine, score, image)
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0


def test_a_composite_that_no_layer_fits_is_refused(network):
    *_, score, image = network
    with pytest.raises(InputError, match=r"No entry of the composite matches any .*CNN/conv1 \(conv_general_dilated\)"):
        values([(lambda step: step.depth > 9, lrp.Epsilon())], score, image)


def test_an_unknown_composite_names_the_nearest(network):
    *_, score, image = network
    with pytest.raises(InputError, match="'epsilon_plu' is not a composite; did you mean 'epsilon_plus'"):
        values("epsilon_plu", score, image)


def test_alpha_and_beta_are_one_apart():
    with pytest.raises(InputError, match="alpha - beta is 1; they were 2 and 0"):
        lrp.AlphaBeta(2, 0)


@pytest.mark.parametrize("name", COMPOSITES)
def test_every_composite_reads_a_network(name, foreign, images):
    model, variables = foreign
    score = probe.score_of(model, variables, 1)
    found = values(name, score, images[0])
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0
