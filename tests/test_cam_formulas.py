"""FEM, KPCA-CAM, RefineCAM and the contrast of classes, each written again in NumPy from its paper's formula."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import attribute
from cnnviz.attribution.contrast import Contrast

RNG = np.random.default_rng(5)
IMAGES = RNG.uniform(size=(2, 8, 8, 1)).astype(np.float32)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3), name="first")(x)), (2, 2), (2, 2))
        x = nn.relu(nn.Conv(6, (3, 3), name="second")(x))
        return nn.Dense(5, name="logits")(x.mean((1, 2)))


VARIABLES = jax.tree.map(
    lambda leaf: jnp.asarray(RNG.normal(0, 0.5, leaf.shape), jnp.float32),
    jax.eval_shape(Net().init, jax.random.key(0), IMAGES),
)
LAYERS = ("relu_0", "relu_1")
FOUND = probe.activations(Net(), VARIABLES, IMAGES, layers=LAYERS)
FIRST, SECOND = (np.asarray(FOUND[name], np.float64) for name in LAYERS)


def maps(method, targets: Any = 2, **options):
    return np.asarray(attribute(method, Net(), VARIABLES, IMAGES, targets, upsampling=None, **options))


def bilinear(values, side):
    """A square map at another size, pixels being areas and the edge going on beyond it."""
    at = np.clip((np.arange(side) + 0.5) * len(values) / side - 0.5, 0, len(values) - 1)
    weights = np.maximum(0, 1 - abs(at[:, None] - np.arange(len(values))))
    return weights @ values @ weights.T


@pytest.mark.parametrize("deviations", [1.0, 2.0])
def test_fem_weighs_channels_by_how_often_they_are_far_above_their_mean(deviations):
    far = FIRST > FIRST.mean((1, 2), keepdims=True) + deviations * FIRST.std((1, 2), keepdims=True)
    expected = (FIRST * far.mean((1, 2), keepdims=True)).sum(-1)
    assert expected.max() > 0
    found = maps("fem", layers="relu_0", deviations=deviations)
    np.testing.assert_allclose(found, expected, atol=1e-5)


KERNELS = {
    "sigmoid": lambda x, y: np.tanh(x @ y / 6 + 1),
    "rbf": lambda x, y: np.exp(-np.square(x - y).sum() / 6),
    "linear": lambda x, y: x @ y,
}


@pytest.mark.parametrize("kernel", list(KERNELS))
def test_kpca_cam_is_the_first_kernel_principal_component(kernel):
    rows = (SECOND - SECOND.mean((1, 2), keepdims=True)).reshape(2, 16, 6)
    for image, found in zip(rows, maps("kpca_cam", layers="relu_1", kernel=kernel, relu=False), strict=True):
        alike = np.array([[KERNELS[kernel](x, y) for y in image] for x in image])
        centered = alike - alike.mean(0) - alike.mean(1)[:, None] + alike.mean()
        sizes, vectors = np.linalg.eigh(centered)
        expected = vectors[:, -1] * np.sqrt(sizes[-1])
        expected *= np.sign(expected[abs(expected).argmax()])
        np.testing.assert_allclose(found.ravel(), expected, atol=1e-4 * abs(expected).max())


def grad_cam_of_both():
    """Grad-CAM of class 2 at both layers, by the chain rule through the second convolution."""
    kernel = VARIABLES["params"]["logits"]["kernel"][:, 2]

    def rest(first):
        pooled = nn.max_pool(first, (2, 2), (2, 2))
        second = nn.relu(nn.Conv(6, (3, 3)).apply({"params": VARIABLES["params"]["second"]}, pooled))
        return (second.mean((1, 2)) @ kernel).sum()

    slopes = np.asarray(jax.grad(rest)(jnp.asarray(FIRST, jnp.float32)))
    first = (FIRST * slopes.mean((1, 2), keepdims=True)).sum(-1)
    return first, (SECOND * np.asarray(kernel) / 16).sum(-1)


def test_refine_cam_is_the_product_of_the_layers_scaled_maps():
    expected = []
    for pair in zip(*grad_cam_of_both(), strict=True):
        scaled = [np.maximum(one, 0) / max(one.max(), 1e-30) for one in pair]
        expected.append(bilinear(scaled[0], 8) * bilinear(scaled[1], 8))
    assert np.max(expected) > 0.1
    np.testing.assert_allclose(maps("refine_cam", layers=LAYERS), expected, atol=1e-5)


def test_a_contrast_is_the_weighted_mean_of_differences_with_the_nearest_classes():
    logits = np.array([1.0, 3.0, 2.5, -1.0, 2.0], np.float32)
    weights = np.exp([2.5, 2.0]) / np.exp([2.5, 2.0]).sum()
    expected = weights @ (3.0 - 0.6 * np.array([2.5, 2.0]))
    assert Contrast(others=2, alpha=0.6)(jnp.asarray(logits)) == pytest.approx(expected, rel=1e-5)
    equal = Contrast(1, (0, 3), alpha=0.6, weighted=False)(jnp.asarray(logits))
    assert equal == pytest.approx(3.0 - 0.6 * (1.0 - 1.0) / 2, rel=1e-5)


def test_finer_cam_is_the_weighted_mean_of_differences_of_maps():
    """Grad-CAM before its ReLU is linear in the score, and the weights of a contrast are constants."""
    logits = np.asarray(probe.logits(Net(), VARIABLES, IMAGES))
    cam = [maps("grad_cam", target, layers="relu_1", relu=False) for target in range(5)]
    weights = np.exp(logits[:, [0, 3]]) / np.exp(logits[:, [0, 3]]).sum(1, keepdims=True)
    expected = sum(weights[:, [i], None] * (cam[2] - 0.5 * cam[other]) for i, other in enumerate((0, 3)))
    found = maps("grad_cam", Contrast(2, (0, 3), alpha=0.5), layers="relu_1", relu=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)
