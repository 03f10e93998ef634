"""A score read backwards: with the gradient's rules it is the gradient, and all spellings of a network read alike."""

from collections import ChainMap

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import build
from cnnviz.attribution.shapes import evaluate
from cnnviz.errors import InputError
from cnnviz.models.dense import DenseNetwork
from cnnviz.propagation.rules import RULES, backward, derivative
from cnnviz.propagation.steps import read

KEY = jax.random.key(0)
IMAGE = jax.random.normal(KEY, (6, 6, 2))
W1 = jax.random.normal(jax.random.key(1), (3, 3, 2, 4))
W2 = jax.random.normal(jax.random.key(2), (6 * 6 * 4, 3)) / 6
BIAS = jnp.array([0.5, -0.5, 0.1, 0.0]).reshape(1, 1, 1, 4)
METHODS = (
    "guided_backprop deconvnet lrp_zero lrp_epsilon_plus lrp_epsilon_alpha2_beta1_flat lrp_epsilon_gamma_box "
    "deep_lift deep_lift_shap excitation_backprop full_grad"
).split()


def conv(x, w, **options):
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), **options)


def scored(function):
    """A score of one image from a function of a batch of images, which gives a number an image."""
    return lambda image, offsets: (function(image[None])[0], {})


def with_activation(activation):
    return scored(lambda x: (activation(conv(x, W1) + BIAS).reshape(len(x), -1) @ W2)[:, 1])


def values(name, score, image=IMAGE, **options):
    return jax.jit(lambda image: evaluate(build(name, **options), score, image, KEY))(image)


def gradient(score, image=IMAGE):
    return jax.jit(jax.grad(lambda image: score(image, {})[0]))(image)


def names(score, image=IMAGE):
    found = []
    jax.eval_shape(lambda x: found.extend(step.name for step in read(score, x).steps) or x, image)
    return found


def of_gradient(score, image=IMAGE):
    return backward(read(score, image), RULES, jnp.float32(1))


# What is read


@pytest.mark.parametrize("model", ["foreign", "small_nnx"])
def test_the_gradients_rules_give_the_gradient(model, images, request):
    given = request.getfixturevalue(model)
    model, variables = given if isinstance(given, tuple) else probe.from_nnx(given)
    score = probe.score_of(model, variables, 1)
    found = jax.jit(jax.vmap(lambda image: of_gradient(score, image)))(images)
    np.testing.assert_allclose(found, jax.vmap(lambda image: gradient(score, image))(images), rtol=1e-4, atol=1e-6)


def test_a_batch_is_its_images_one_by_one(foreign, images):
    score = probe.score_of(*foreign, 1)
    for name in ("lrp_epsilon_plus", "deep_lift"):
        one = jax.jit(lambda image, name=name: values(name, score, image))
        np.testing.assert_allclose(jax.vmap(one)(images), jnp.stack([*map(one, images)]), rtol=1e-4, atol=1e-6)


def test_what_does_not_depend_on_the_image_is_no_step():
    constant = lambda x: jnp.tanh(W1).sum() * conv(x, jnp.exp(W1)).sum((1, 2, 3))
    assert names(scored(constant))[:4] == ["broadcast_in_dim", "conv_general_dilated", "reduce_sum", "scale"]


RELUS = {
    "jax.nn.relu": jax.nn.relu,
    "maximum(x, 0)": lambda x: jnp.maximum(x, 0),
    "maximum(0, x)": lambda x: jnp.maximum(0, x),
    "where(x > 0, x, 0)": lambda x: jnp.where(x > 0, x, 0),
    "where(x <= 0, 0, x)": lambda x: jnp.where(x <= 0, 0, x),
    "x * (x > 0)": lambda x: x * (x > 0),
    "clip": lambda x: jnp.clip(x, 0, None),
    "jit": jax.jit(lambda x: jnp.maximum(x, 0)),
    "remat": jax.checkpoint(jax.nn.relu),
}


@pytest.mark.parametrize("spelling", list(RELUS)[1:])
def test_all_spellings_of_relu_are_one(spelling):
    score, plain = with_activation(RELUS[spelling]), with_activation(jax.nn.relu)
    assert names(score).count("activation") == 1
    for name in METHODS:
        np.testing.assert_allclose(values(name, score), values(name, plain), rtol=1e-4, atol=1e-5, err_msg=name)


SMOOTH = [jax.nn.relu6, jax.nn.leaky_relu, jax.nn.gelu, jax.nn.silu, jnp.tanh, jax.nn.elu, jax.nn.celu, jax.nn.softplus]
SMOOTH += [jax.nn.mish, jax.nn.hard_swish, jax.nn.soft_sign, jax.nn.sigmoid, jax.nn.selu]
SMOOTH += [lambda x: jax.nn.gelu(x, approximate=False), lambda x: jax.nn.relu(x) - 0.3 * jax.nn.relu(-x)]


@pytest.mark.parametrize("activation", SMOOTH, ids=lambda f: f.__name__)
def test_an_activation_is_a_function_of_each_value(activation):
    """Guided backprop hands back f'(x) max(g, 0), LRP keeps relevance, DeepLIFT takes the quotient."""
    score = with_activation(activation)
    z = conv(IMAGE[None], W1) + BIAS
    g = W2[:, 1].reshape(z.shape)
    slope = jax.vmap(jax.grad(activation))(z.ravel()).reshape(z.shape)
    back = jax.vjp(lambda x: conv(x, W1), IMAGE[None])[1]
    np.testing.assert_allclose(values("guided_backprop", score), back(slope * jnp.maximum(g, 0))[0][0], atol=1e-4)
    z0 = jnp.broadcast_to(BIAS, z.shape)
    quotient = (activation(z) - activation(z0)) / (z - z0)
    np.testing.assert_allclose(values("deep_lift", score), IMAGE * back(quotient * g)[0][0], atol=1e-3)
    relevance = activation(z) * g
    np.testing.assert_allclose(
        values("lrp_epsilon", score), IMAGE * back(relevance / (z + 1e-6 * jnp.sign(z)))[0][0], rtol=1e-3, atol=1e-3
    )


SELECTED = {
    "square": lambda y, other: y * y,
    "mask": lambda y, other: jnp.where(other > 0, y, 0),
    "mask as a factor": lambda y, other: (other > 0).astype(y.dtype) * y,
    "mask of its own": lambda y, other: (y > 0) * y,
    "index": lambda y, other: jnp.take_along_axis(y, other.argsort(-1)[..., :2], -1),
    "largest": lambda y, other: jax.lax.top_k(y, 2)[0],
}


@pytest.mark.parametrize("name", SELECTED)
def test_nothing_goes_through_masks_and_indices(name):
    score = scored(
        lambda x: (SELECTED[name](conv(x, W1) + BIAS, conv(x, W1[::-1])) * IMAGE[None, :, :, :1]).sum((1, 2, 3))
    )
    np.testing.assert_allclose(of_gradient(score), gradient(score), rtol=1e-4, atol=1e-5)
    relevance = values("lrp_zero", score)
    assert np.isfinite(relevance).all()
    assert np.abs(relevance).max() > 0.01
    if "index" not in name and "largest" not in name:  # these are other values for another image
        gap = values("deep_lift", score, baseline=IMAGE[::-1]).sum() - score(IMAGE, {})[0] + score(IMAGE[::-1], {})[0]
        assert abs(gap) < 1e-3


def test_a_maximum_of_two_layers_is_no_activation():
    wide = conv(IMAGE[None], W1)
    score = scored(lambda x: jnp.maximum(conv(x, W1), -conv(x, W1[::-1])).sum((1, 2, 3)) * -1)
    np.testing.assert_allclose(values("guided_backprop", score), gradient(score), rtol=1e-5)
    winners = jnp.where(wide > -conv(IMAGE[None], W1[::-1]), wide, 0).sum()
    losers = scored(lambda x: jnp.where(conv(x, W1) > -conv(x, W1[::-1]), conv(x, W1), 0).sum((1, 2, 3)))
    assert np.isclose(losers(IMAGE, {})[0], winners)  # the relevance of the winners alone
    assert np.isclose(values("lrp_zero", score).sum(), score(IMAGE, {})[0], rtol=1e-4)


# How networks are built


def test_a_layer_used_twice():
    w = jax.random.normal(KEY, (3, 3, 2, 2)) / 3
    score = scored(lambda x: conv(jax.nn.relu(conv(x, w)), w).sum((1, 2, 3)))
    for name in ("lrp_zero", "lrp_epsilon_plus", "deep_lift"):
        total = score(IMAGE, {})[0] - (score(0 * IMAGE, {})[0] if name == "deep_lift" else 0)
        assert np.isclose(values(name, score).sum(), total, rtol=1e-3), name


def test_a_residual_sum_shares_by_contribution():
    image = jnp.array([[[3.0, -1.0]]])
    score = lambda x, _: ((x + 2 * jax.nn.relu(x))[0, 0] @ jnp.array([1.0, 1.0]), {})
    # R = (9, -1) at the sum; the pixel keeps it all, once through the skip and once through the branch
    np.testing.assert_allclose(values("lrp", score, image, composite="zero"), [[[9.0, -1.0]]], rtol=1e-6)


def test_a_concatenation_hands_each_part_its_own():
    score = scored(lambda x: jnp.concatenate([2 * x, conv(x, W1)], -1)[..., :2].sum((1, 2, 3)))
    np.testing.assert_allclose(values("lrp_zero", score), 2 * IMAGE, rtol=1e-5)


MOVED = {
    "stack": lambda y: jnp.stack([y, 2 * y]),
    "tile": lambda y: jnp.tile(y, (1, 2, 1, 1)),
    "unstack": lambda y: jnp.unstack(y, axis=1)[1],
    "split": lambda y: jnp.split(y, 2, 1)[1],
    "a part set": lambda y: y.at[:, 0].set(2 * y[:, 1]),
    "added to a part": lambda y: y.at[:, 0].add(2 * y[:, 1]),
    "a running maximum": lambda y: jax.lax.cummax(y, 1),
}


@pytest.mark.parametrize("name", MOVED)
def test_what_is_moved_or_added_to_takes_its_relevance_along(name):
    score = scored(lambda x: (MOVED[name](conv(x, W1)) ** 3).sum()[None])
    total = score(IMAGE, {})[0]
    np.testing.assert_allclose(of_gradient(score), gradient(score), rtol=1e-4, atol=1e-3)
    assert np.isclose(values("lrp_zero", score).sum(), total, rtol=1e-3)
    assert np.isclose(values("deep_lift", score).sum(), total, rtol=1e-3)


def normalized(x, scale, bias, mean, var):
    return (x - mean) * (jax.lax.rsqrt(var + 1e-3) * scale) + bias


@pytest.mark.parametrize("name", METHODS)
def test_batch_norm_in_evaluation_mode_is_part_of_its_layer(name):
    rows = jnp.array([[2.0, -1.0, 0.5, 1.0], [0.3, 0.1, -0.2, 0.0], [0.5, -0.5, 0.1, 1.0]])
    scale, bias, mean = rows.reshape(3, 1, 1, 1, 4)
    factor = scale / jnp.sqrt(1.5 + 1e-3)
    ends = lambda x: (jax.nn.relu(x).reshape(len(x), -1) @ W2)[:, 1]
    apart = scored(lambda x: ends(normalized(conv(x, W1) + BIAS, scale, bias, mean, jnp.full((1, 1, 1, 4), 1.5))))
    folded = scored(lambda x: ends(conv(x, W1 * factor) + (BIAS - mean) * factor + bias))
    np.testing.assert_allclose(values(name, apart), values(name, folded), rtol=1e-3, atol=1e-4)
    assert names(apart) == names(folded)


def test_the_first_of_equal_maxima_takes_all():
    image = jnp.array([1.0, 1.0, 0.0, 1.0, 2.0, 2.0]).reshape(1, 6, 1)
    pooled = lambda x: nn.max_pool(x, (1, 2), (1, 2)).sum((1, 2, 3))
    for name in ("lrp_zero", "guided_backprop"):
        assert np.asarray(values(name, scored(pooled), image) != 0).ravel().tolist() == [1, 0, 0, 1, 1, 0], name


@pytest.mark.parametrize("pool", [lambda x: nn.avg_pool(x, (2, 2), (2, 2)), lambda x: x.mean((1, 2))])
def test_a_mean_shares_by_contribution(pool):
    image = jnp.arange(1.0, 5.0).reshape(2, 2, 1)
    score = scored(lambda x: 8 * pool(x).reshape(-1))
    np.testing.assert_allclose(values("lrp_epsilon_plus", score, image), 2 * image, rtol=1e-5)


def test_channels_first_is_channels_last():
    turned = lambda x: jax.lax.conv_general_dilated(
        x.transpose(0, 3, 1, 2), W1.transpose(3, 2, 0, 1), (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")
    )
    ends = lambda y: (jax.nn.relu(y).reshape(len(y), -1) @ W2)[:, 1]
    first = scored(lambda x: ends((turned(x) + BIAS.reshape(1, 4, 1, 1)).transpose(0, 2, 3, 1)))
    last = scored(lambda x: ends(conv(x, W1) + BIAS))
    for name in METHODS:
        np.testing.assert_allclose(values(name, first), values(name, last), rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", METHODS)
def test_a_network_of_dense_layers(name):
    variables = DenseNetwork(3).init(KEY, IMAGE[None])
    found = values(name, probe.score_of(DenseNetwork(3), variables, 2))
    assert found.shape in (IMAGE.shape, (*IMAGE.shape[:2], 1))
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0


def test_remat_changes_nothing(images):
    class Net(nn.Module):
        inner: type

        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(nn.relu(self.inner(4, (3, 3), name="conv")(x)).mean((1, 2)))

    variables = Net(nn.Conv).init(KEY, images)
    plain, again = (probe.score_of(Net(conv), variables, 0) for conv in (nn.Conv, nn.remat(nn.Conv)))
    found = [values("lrp_epsilon_plus", score, images[0]) for score in (plain, again)]
    np.testing.assert_allclose(*found, rtol=1e-5)


# What cannot be read


def scanned(x):
    """More iterations than are unrolled."""
    return jax.lax.scan(lambda carry, _: (jax.nn.relu(carry), None), x, None, length=65)[0].sum((1, 2, 3))


class Loop(nn.Module):
    @nn.compact
    def __call__(self, x):
        return scanned(nn.Conv(2, (3, 3), name="before")(x))[:, None]


def test_a_primitive_without_a_rule_is_named_with_its_place():
    score = probe.score_of(Loop(), Loop().init(KEY, IMAGE[None]), 0)
    for name in METHODS:
        with pytest.raises(
            InputError, match=r"The step 'scan' in Loop, .* has no rule; .*rules.RULES\['scan'\] = rule"
        ):
            values(name, score)


def test_a_rule_of_ones_own_is_one_function_and_one_line(monkeypatch):
    monkeypatch.setitem(RULES, "scan", derivative)
    np.testing.assert_allclose(values("guided_backprop", scored(scanned)), gradient(scored(scanned)), rtol=1e-6)


def test_a_function_of_each_value_may_have_a_rule_of_its_own(monkeypatch):
    rounded = scored(lambda x: jnp.round(3 * x).sum((1, 2, 3)))
    np.testing.assert_array_equal(values("guided_backprop", rounded), 0)
    monkeypatch.setitem(RULES, "round", lambda step, given: given)  # straight through
    np.testing.assert_array_equal(values("guided_backprop", rounded), 3)


def test_relevance_has_no_rule_for_a_power():
    power = scored(lambda x: (jnp.abs(conv(x, W1)) ** jax.nn.sigmoid(conv(x, W1[::-1]))).sum((1, 2, 3)))
    with pytest.raises(InputError, match=r"The step 'pow' in the model"):
        values("lrp", power)


def test_the_derivative_of_a_product_is_that_of_both_factors():
    np.testing.assert_allclose(
        values("guided_backprop", scored(lambda x: (x * x[:, ::-1]).sum((1, 2, 3)))), 2 * IMAGE[::-1]
    )


CONSTANT = {
    "constant": lambda x: jnp.full(len(x), 3.0),
    "cut off": lambda x: jax.lax.stop_gradient(x).sum((1, 2, 3)),
    "an index": lambda x: x.reshape(len(x), -1).argmax(1).astype(jnp.float32),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", CONSTANT)
def test_a_score_that_does_not_depend_on_the_image_is_explained_by_zeros_and_a_warning(name, kind):
    if kind == "cut off" and "deep_lift" in name:
        pytest.skip("DeepLIFT compares values, and those differ")
    with pytest.warns(UserWarning, match="does not depend on the image"):
        found = values(name, scored(CONSTANT[kind]))
    np.testing.assert_array_equal(found, 0)
    assert found.shape[:2] == IMAGE.shape[:2]


def test_a_table_with_none_has_no_rule():
    with pytest.raises(InputError, match="The step activation"):
        backward(read(with_activation(jax.nn.relu), IMAGE), ChainMap({"activation": None}, RULES), jnp.float32(1))
