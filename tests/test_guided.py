"""Guided backprop, the deconvnet, guided Grad-CAM and excitation backprop, computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.attribution import attribute, build
from cnnviz.attribution.present import upsampled
from cnnviz.attribution.shapes import evaluate
from cnnviz.models.cnn import CNN

W = jnp.array([[1.0, -1.0, 2.0], [2.0, 1.0, 0.0]])  # two pixels, three hidden units
V = jnp.array([1.0, 3.0, -2.0])
IMAGE = jnp.array([1.0, 2.0]).reshape(1, 2, 1)


def score(image, offsets):
    """relu(x W) V: the hidden units are 5, 1 and 2."""
    return jax.nn.relu(image.reshape(1, 2) @ W)[0] @ V, {}


def values(name, image=IMAGE):
    return evaluate(build(name), score, image, jax.random.key(0)).ravel().tolist()


def test_guided_backprop_stops_what_is_negative():
    assert values("guided_backprop") == [1 * 1 - 1 * 3, 2 * 1 + 1 * 3]  # the third unit's gradient is -2


def test_guided_backprop_stops_at_units_that_are_off_and_the_deconvnet_does_not():
    dark = jnp.array([1.0, -1.0]).reshape(1, 2, 1)  # units -1, -2 and 2
    assert values("guided_backprop", dark) == [0, 0]
    assert values("deconvnet", dark) == [1 * 1 - 1 * 3, 2 * 1 + 1 * 3]


def test_excitation_backprop_is_a_walk_by_positive_weights():
    # down to the units in proportion to 5 * 1 and 1 * 3; from the first to the pixels 1 : 4, from the second 0 : 2
    np.testing.assert_allclose(values("excitation_backprop"), [5 / 8 / 5, 5 / 8 * 4 / 5 + 3 / 8], rtol=1e-5)


def test_guided_grad_cam_is_the_product():
    images = jax.random.uniform(jax.random.key(1), (3, 28, 28, 1))
    variables = jax.jit(CNN().init)(jax.random.key(0), images)
    run = lambda name, **options: attribute(name, CNN(), variables, images, 2, **options)
    cam = jax.vmap(lambda m: upsampled(m, (28, 28), "bilinear"))(run("grad_cam", layers="pool2", upsampling=None))
    due = run("guided_backprop") * cam
    assert np.abs(due).max() > 0
    np.testing.assert_allclose(run("guided_grad_cam", layers="pool2"), due, rtol=1e-4, atol=1e-7)
