"""Excitation backprop: on random networks of ReLUs it is a (sub)probability, and a walk by positive contributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax import conv_general_dilated, reduce_window

from cnnviz.attribution import build
from cnnviz.attribution.shapes import evaluate

KEY = jax.random.key(0)
LAYOUT = ("NHWC", "HWIO", "NHWC")


def walked(score, image):
    return np.asarray(jax.jit(lambda x: evaluate(build("excitation_backprop"), score, x, KEY))(jnp.asarray(image)))


def conv(rng, x, features, **options):
    groups = options.get("feature_group_count", 1)
    kernel = rng.normal(size=(*options.pop("size", (3, 3)), x.shape[-1] // groups, features)) / 3
    y = conv_general_dilated(x, kernel, options.pop("strides", (1, 1)), "SAME", dimension_numbers=LAYOUT, **options)
    return y + rng.normal(size=(1, 1, 1, features)) * 0.1


def pooled(x, join, start, window, strides):
    return reduce_window(x, start, join, (1, *window, 1), (1, *strides, 1), "VALID")


def network(seed):
    """A random network of ReLUs with a residual sum, overlapping pooling, groups and strides, and an image."""

    def score(image, offsets):
        rng = np.random.default_rng(seed)
        x = jax.nn.relu(conv(rng, image[None], 6, strides=(1 + seed % 2, 1)))
        branch = conv(rng, jax.nn.relu(conv(rng, x, 6, feature_group_count=2)), 6)
        x = x + branch if seed % 3 else branch - 0.5 * x
        x = jax.nn.relu(x) if seed % 4 else x
        if seed % 5 < 2:
            x = pooled(x, jax.lax.add, 0.0, (3, 3), (1, 2)) / 9
        else:
            x = pooled(x, jax.lax.max, -jnp.inf, (2, 2), (1, 1))
        x = jax.nn.relu(conv(rng, x, 4, size=(3, 2)))
        x = (x.mean((1, 2)) - 0.1) * np.abs(rng.normal(size=(1, 4)))
        hidden = jax.nn.relu(x @ rng.normal(size=(4, 5)))
        return (hidden @ rng.normal(size=(5, 1)))[0, 0], {}

    return score, np.random.default_rng(seed).uniform(size=(8, 7, 2)).astype(np.float32)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_a_probability_or_less(seed):
    found = walked(*network(seed))
    assert found.min() >= 0
    assert found.sum() <= 1 + 1e-5


def test_what_no_bias_takes_sums_to_one():
    w = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32)
    first = lambda x: jax.nn.relu(conv_general_dilated(x[None], w, (1, 1), "SAME", dimension_numbers=LAYOUT))
    v = np.random.default_rng(1).normal(size=(3, 3, 4, 4)).astype(np.float32)
    again = lambda x: x + conv_general_dilated(x, v, (1, 1), "SAME", dimension_numbers=LAYOUT)
    found = walked(
        lambda x, _: (jax.nn.relu(again(first(x))).sum(), {}), np.random.default_rng(2).uniform(size=(6, 6, 2))
    )
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-3)


def test_a_sum_of_both_signs_goes_to_the_summands_of_its_sign():
    # 3 x - 2 y is 3 * 2 - 2 * 1 = 4: only x excites it
    score = lambda image, _: (jax.nn.relu(3 * image[0, 0, 0] - 2 * image[0, 1, 0]), {})
    np.testing.assert_allclose(walked(score, np.array([[[2.0], [1.0]]])).ravel(), [1, 0], atol=1e-5)
    # a negative sum, read through a negative weight, goes to what made it negative: -3 + 1 = -2
    score = lambda image, _: (-(image[0, 0, 0] - 3 * image[0, 1, 0]), {})
    np.testing.assert_allclose(walked(score, np.array([[[1.0], [1.0]]])).ravel(), [0, 1], atol=1e-5)


@pytest.mark.parametrize("activation", [jax.nn.gelu, jax.nn.silu, jnp.tanh])
def test_a_function_with_one_input_passes_everything_on(activation):
    """By the paper a unit with one excitatory parent sends it everything, whatever the slope; so does a scaling."""
    w = np.abs(np.random.default_rng(0).normal(size=(4, 5)))
    score = lambda image, _: ((0.1 * activation(image.reshape(1, 4) @ w) * 30).sum(), {})
    image = np.random.default_rng(1).uniform(size=(2, 2, 1))
    z = image.reshape(1, 4) @ w
    shares = (w * image.reshape(4, 1) / z) @ (activation(z) / activation(z).sum()).T
    np.testing.assert_allclose(walked(score, image).ravel(), shares.ravel(), rtol=1e-4)
