"""The rewritten function is the plain one: values, gradients with ties, forward derivatives, maps over a batch."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.fast.rewrite import faster
from cnnviz.models.cnn import CNN

KEY = jax.random.key(0)
WINDOWS = [((2, 2), (2, 2), "VALID"), ((3, 3), (2, 2), "SAME"), ((3, 2), (1, 1), "VALID"), ((2, 2), (3, 1), "SAME")]


def pooled(window, strides, padding):
    return lambda x: nn.max_pool(x, window, strides, padding)


@pytest.fixture(params=["distinct", "ties"])
def x(request):
    """Values that are all different, or of which most are equal to a neighbor."""
    x = jax.random.normal(KEY, (3, 9, 8, 2))
    return x if request.param == "distinct" else jnp.round(x)


@pytest.mark.parametrize("options", WINDOWS, ids=str)
def test_a_pooling_has_the_same_values_and_gradient(x, options):
    plain = pooled(*options)
    weights = jax.random.normal(KEY, plain(x).shape)
    gradient = lambda function: jax.grad(lambda x: (function(x) * weights).sum())(x)
    np.testing.assert_array_equal(faster(plain)(x), plain(x))
    np.testing.assert_allclose(gradient(faster(plain)), gradient(plain), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", WINDOWS[:2], ids=str)
def test_forward_derivatives_and_maps_over_a_batch_stay(x, options):
    plain = pooled(*options)
    forward = lambda function: jax.jvp(function, (x,), (jnp.cos(x),))[1]
    np.testing.assert_allclose(forward(faster(plain)), forward(plain), rtol=1e-6)
    mapped = lambda function: jax.vmap(lambda one: function(one[None]))(x)
    np.testing.assert_array_equal(mapped(faster(plain)), mapped(plain))
    curved = lambda function: jax.grad(lambda x: (function(x) ** 3).sum())
    second = lambda function: jax.jvp(curved(function), (x,), (jnp.cos(x),))[1]
    np.testing.assert_allclose(second(faster(plain)), second(plain), rtol=1e-5, atol=1e-5)


CONVOLUTIONS = [{}, {"strides": (2, 3)}, {"padding": "VALID"}, {"padding": ((2, 0), (-1, 3))}, {"kernel_dilation": 2}]


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_a_convolution_in_chunks_has_the_same_derivatives(options):
    layer = nn.Conv(5, (3, 2), **options)
    x = jax.random.normal(KEY, (32, 9, 8, 1))
    quick = partial(faster, images=0)
    variables = layer.init(KEY, x)
    plain = lambda x, variables: jnp.sin(layer.apply(variables, x)).sum()
    close = lambda a, b: jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=2e-5, atol=2e-5), a, b)
    assert "conv_general_dilated" not in str(jax.make_jaxpr(quick(plain))(x, variables))
    for of in (
        lambda function: function(x, variables),
        lambda function: jax.grad(function, argnums=(0, 1))(x, variables),
        lambda function: jax.jvp(lambda x: jax.grad(function)(x, variables), (x,), (jnp.cos(x),)),
        lambda function: jax.vmap(jax.grad(lambda one: function(one[None], variables)))(x),
    ):
        close(of(quick(plain)), of(plain))


def test_a_nan_stays_a_nan():
    x = jnp.array([1.0, jnp.nan, jnp.nan, 2.0, -jnp.inf, -jnp.inf]).reshape(1, 1, 6, 1)
    np.testing.assert_array_equal(faster(pooled((1, 2), (1, 2), "VALID"))(x).ravel(), [np.nan, np.nan, -np.inf])
    overlapping = faster(pooled((1, 2), (1, 1), "VALID"))(x)
    np.testing.assert_array_equal(overlapping.ravel(), [np.nan, np.nan, np.nan, 2, -np.inf])


@pytest.mark.parametrize("value", [-jnp.inf, jnp.nan])
def test_the_derivative_is_that_of_one_place_where_all_are_infinite_or_nan(value):
    x = jnp.full((1, 2, 2, 1), value)
    gradient = jax.grad(lambda x: faster(pooled((2, 2), (2, 2), "VALID"))(x).sum())(x)
    assert sorted(gradient.ravel().tolist()) == [0, 0, 0, 1]


def test_large_windows_and_whole_numbers(x):
    large = pooled((5, 5), (1, 1), "SAME")
    assert "reduce_window_max" in str(jax.make_jaxpr(faster(large))(x))
    whole = jnp.round(x * 10).astype(jnp.int32)
    pool = lambda x: jax.lax.reduce_window(x, jnp.iinfo(jnp.int32).min, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")
    np.testing.assert_array_equal(faster(pool)(whole), pool(whole))


class Pooled(nn.Module):
    """Overlapping windows, BatchNorm and dropout around convolutions."""

    @nn.compact
    def __call__(self, x, *, train=False):
        x = nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3, 3))(x))
        x = nn.max_pool(nn.relu(x), (3, 3), (2, 2), "SAME")
        x = nn.Dropout(0.5, deterministic=not train)(nn.Conv(8, (3, 3))(x))
        return nn.Dense(3)(nn.max_pool(nn.relu(x), (2, 2), (2, 2)).reshape(len(x), -1))


@pytest.mark.parametrize("model", [CNN(classes=3), Pooled()], ids=lambda model: type(model).__name__)
def test_a_model_s_training_gradient_is_the_same(model):
    images = jnp.round(jax.random.uniform(KEY, (4, 12, 12, 3)) * 4) / 4  # flat areas: ties
    variables = jax.jit(model.init)(KEY, images)

    def apply(variables, images):
        return model.apply(variables, images, train=True, rngs={"dropout": KEY}, mutable=["batch_stats"])

    def loss(apply):
        return jax.jit(jax.value_and_grad(lambda v: (apply(v, images)[0] ** 2).sum()))(variables)

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), loss(faster(apply)), loss(apply))
    assert "reduce_window_max" not in str(jax.make_jaxpr(faster(apply))(variables, images))
