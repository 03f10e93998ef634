"""LRP: each rule against its formula on the layers' dense matrices, its laws, and composites."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cnnviz import probe
from cnnviz.attribution import build
from cnnviz.attribution.method import evaluate
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.propagation import lrp
from cnnviz.propagation.composites import COMPOSITES, epsilon_gamma_box, first, layer

KEY = jax.random.key(0)


def values(composite, score, image):
    return jax.jit(lambda image: evaluate(build("lrp", composite=composite), score, image, KEY))(image)


# The formulas of the papers on a dense matrix w [out, in], in NumPy and double precision


def stable(z, epsilon=1e-6):
    return z + np.where(z >= 0, epsilon, -epsilon)


def plus(a):
    return np.maximum(a, 0)


def minus(a):
    return np.minimum(a, 0)


def epsilon(x, w, b, z, r):
    return x * (w.T @ (r / stable(z, 0.1)))


def alpha_beta(x, w, b, z, r, alpha=2, beta=1):
    parts = w * x
    above, below = plus(parts), minus(parts)
    total = alpha * above / stable(above.sum(1) + plus(b))[:, None]
    if beta:
        total = total - beta * below / stable(below.sum(1) + minus(b))[:, None]
    return (total * r[:, None]).sum(0)


def gamma(x, w, b, z, r):
    parts = w * x
    found = np.zeros_like(parts)
    for sign, of in ((1, plus), (-1, minus)):
        favored = parts + 0.25 * of(parts)
        total = stable(favored.sum(1) + b + 0.25 * of(b))
        found += np.where(sign * z > 0, r / total, 0)[:, None] * favored
    return found.sum(0)


def box(x, w, b, z, r):
    parts = w * x - minus(w) * 2.0
    return (parts * (r / stable(parts.sum(1)))[:, None]).sum(0)


def w_square(x, w, b, z, r):
    return (w**2 * (r / stable((w**2).sum(1) + b**2))[:, None]).sum(0)


FORMULAS = {
    lrp.Epsilon(0.1): epsilon,
    lrp.AlphaBeta(2, 1): alpha_beta,
    lrp.ZPlus(): lambda *given: alpha_beta(*given, alpha=1, beta=0),
    lrp.Gamma(0.25): gamma,
    lrp.ZBox(0.0, 2.0): box,
    lrp.WSquare(): w_square,
}


@st.composite
def convolutions(draw):
    """A convolution with options of its own: strided, dilated, transposed, in groups."""
    groups = draw(st.sampled_from([1, 2]))
    return {
        "window_strides": draw(st.sampled_from([(1, 1), (2, 1)])),
        "padding": draw(st.sampled_from([((0, 0), (0, 0)), ((1, 1), (0, 2))])),
        "lhs_dilation": draw(st.sampled_from([(1, 1), (2, 2)])),
        "rhs_dilation": draw(st.sampled_from([(1, 1), (1, 2)])),
        "feature_group_count": groups,
        "dimension_numbers": ("NHWC", "HWIO", "NHWC"),
    }


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(options=convolutions(), seed=st.integers(0, 9), rectified=st.booleans())
def test_rules_are_their_formulas_on_dense_matrices(options, seed, rectified):
    """Of a convolution with bias and BatchNorm, a ReLU and a dense layer; the relevance that comes down is z+'s."""
    keys = jax.random.split(jax.random.key(seed), 6)
    image = jax.random.normal(keys[0], (5, 4, 2))
    image = jnp.abs(image) if rectified else image
    kernel = jax.random.normal(keys[1], (2, 2, 2 // options["feature_group_count"], 4))
    bias, scale, shift = jax.random.normal(keys[2], (3, 4))
    linear = lambda x: jax.lax.conv_general_dilated(x, kernel, **options)
    affine = lambda x: (linear(x[None]) + bias) * scale + shift
    head = jax.random.normal(keys[3], (jax.eval_shape(affine, image).size,))
    score = lambda x, _: (jax.nn.relu(affine(jnp.maximum(x, 0) if rectified else x)).ravel() @ head, {})

    w = np.asarray(jax.jacobian(affine)(image), np.float64).reshape(-1, image.size)
    b = np.asarray(affine(jnp.zeros_like(image)), np.float64).ravel()
    x = np.asarray(image, np.float64).ravel()
    z = w @ x + b
    h = np.maximum(z, 0)
    r = alpha_beta(h, np.asarray(head, np.float64)[None], np.zeros(1), h @ head, np.array([h @ head]), 1, 0)
    for rule, formula in FORMULAS.items():
        found = values([(first, rule), (layer, lrp.ZPlus())], score, image)
        due = formula(x, w, b, z, r)
        np.testing.assert_allclose(np.ravel(found), due, atol=1e-4 * np.abs(due).max(), err_msg=str(rule))


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
    parts = w * ends[0] - plus(w) * ends[1] - minus(w) * ends[2]
    due = (parts * (plus(w @ ends[0]) / stable(parts.sum(1)))[:, None]).sum(0).reshape(8, 8, 1)[1:-1, 1:-1]
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
    with pytest.raises(
        InputError, match=r"No entry of the composite holds for any .*CNN/conv1 \(conv_general_dilated\)"
    ):
        values([(lambda step: step.depth > 9, lrp.Epsilon())], score, image)


def test_an_unknown_composite_names_the_nearest(network):
    *_, score, image = network
    with pytest.raises(InputError, match="no composite named 'epsilon_plu'; did you mean 'epsilon_plus'"):
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
