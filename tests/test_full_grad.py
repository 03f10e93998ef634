"""FullGrad: the image's and the biases' contributions sum to the score; the map is the paper's sum of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import build
from cnnviz.attribution.methods.full_grad import full_gradient
from cnnviz.attribution.shapes import evaluate
from cnnviz.models.resnet import ResNet

KEY = jax.random.key(0)


def contributions(score, image):
    """The image's contributions, those of the biases, and the places of their steps."""
    places = []

    def of(image):
        found = full_gradient(score, image)
        places.extend(step.place for step in found.biases)
        return found.image, list(found.biases.values())

    pixels, biases = jax.jit(of)(image)
    return pixels, biases, places


@pytest.fixture(scope="module")
def moved():
    """A residual network whose biases and BatchNorm statistics are not zero."""
    image = jax.random.uniform(KEY, (8, 8, 1))
    variables = jax.jit(ResNet(3, channels=4).init)(KEY, image[None])
    return jax.tree.map(lambda a: a + 0.05 * jax.random.uniform(KEY, a.shape), variables), image


def test_the_contributions_sum_to_the_score(moved):
    variables, image = moved
    score = probe.score_of(ResNet(3, channels=4), variables, 1)
    pixels, biases, places = contributions(score, image)
    total = pixels.sum() + sum(bias.sum() for bias in biases)
    assert np.isclose(total, score(image, {})[0], rtol=1e-4)
    assert not np.isclose(pixels.sum(), total, rtol=1e-3)
    assert {"ResNet/conv1", "ResNet/stage2_block1/shortcut", "ResNet/logits"} <= set(places)


@pytest.mark.parametrize("activation", [jnp.tanh, jax.nn.gelu, lambda x: x * x[:, ::-1]])
def test_implicit_biases_of_activations_count(activation):
    w = jax.random.normal(KEY, (4, 5))
    score = lambda image, _: (activation(image.reshape(1, -1) @ w + 0.3).sum(), {})
    image = jnp.array([1.0, -0.5, 0.2, 2.0]).reshape(2, 2, 1)
    pixels, biases, _ = contributions(score, image)
    assert np.isclose(pixels.sum() + sum(bias.sum() for bias in biases), score(image, {})[0], rtol=1e-4)


def test_the_map_is_the_papers_sum():
    """A convolution of one pixel, so that everything can be written down; its map has the image's size."""
    kernel, bias = jnp.array([[[[1.0, -2.0]]]]), jnp.array([0.5, -1.0])
    image = jax.random.uniform(KEY, (3, 4, 1))

    def score(image, _):
        dimensions = ("NHWC", "HWIO", "NHWC")
        z = jax.lax.conv_general_dilated(image[None], kernel, (1, 1), "VALID", dimension_numbers=dimensions)
        return (jnp.tanh(z + bias[None, None, None]) * jnp.arange(12.0).reshape(1, 3, 4, 1)).sum(), {}

    z = image * kernel[0] + bias[None, None]
    slope = (1 - jnp.tanh(z) ** 2) * jnp.arange(12.0).reshape(3, 4, 1)
    terms = [image * (slope @ kernel[0, 0, 0])[..., None], slope * bias[None, None]]
    terms.append((jnp.tanh(z) * jnp.arange(12.0).reshape(3, 4, 1)) - slope * z)
    due = sum(((abs(t) - abs(t).min()) / (abs(t).max() - abs(t).min())).sum(-1) for t in terms)
    found = evaluate(build("full_grad"), score, image, KEY)
    assert found.shape == (3, 4, 1)
    np.testing.assert_allclose(found[..., 0], due, rtol=1e-4)


STRAIGHT = jax.custom_vjp(lambda x: jnp.round(x))
STRAIGHT.defvjp(lambda x: (jnp.round(x), None), lambda _, g: (g,))
W = jax.random.normal(KEY, (4, 5))
LEFT_OUT = {
    "stopped": lambda x: jax.lax.stop_gradient(jnp.tanh(x @ W)) + x @ W,
    "straight through by stopping": lambda x: x @ W + jax.lax.stop_gradient(jnp.round(x @ W) - x @ W),
    "straight through by custom_vjp": lambda x: STRAIGHT(2 * x @ W),
    "a constant concatenated": lambda x: jnp.concatenate([x @ W, jnp.full((1, 2), 3.0)], 1),
    "padded": lambda x: jnp.pad(x @ W, ((0, 0), (1, 1)), constant_values=2.0),
    "set": lambda x: (x @ W).at[:, 0].set(4.0),
    "by an index": lambda x: x @ W + (x @ W).argmax(1, keepdims=True),
    "of a spectrum": lambda x: jnp.abs(jnp.fft.fft(x @ W + 0.3)) + jnp.fft.fft(x @ W).real,
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_the_models_derivative_leaves_out_is_a_bias(name):
    score = lambda image, _: (LEFT_OUT[name](image.reshape(1, -1)).sum(), {})
    image = jnp.array([1.0, -0.5, 0.2, 2.0]).reshape(2, 2, 1)
    pixels, biases, _ = contributions(score, image)
    assert np.isclose(pixels.sum() + sum(bias.sum() for bias in biases), score(image, {})[0], rtol=1e-4)
    np.testing.assert_allclose(pixels, image * jax.grad(lambda image: score(image, {})[0])(image), rtol=1e-4, atol=1e-6)
    assert np.isfinite(evaluate(build("full_grad"), score, image, KEY)).all()
