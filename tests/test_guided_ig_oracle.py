"""Guided integrated gradients with its defaults against the algorithm of its authors, written in NumPy from the paper.

Both take the same gradients, in float64. With gradients from elsewhere the maps may differ by a tenth of their largest
value: at a constant baseline, under a mean over places, pixels have equal gradients but for the last bit, and that
decides which of them move first.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from cnnviz import probe
from cnnviz.attribution import attribute


class Residual(nn.Module):
    """A residual block, and a dense layer of the mean over places."""

    @nn.compact
    def __call__(self, x):
        conv = lambda name: nn.Conv(8, (3, 3), name=name, param_dtype=jnp.float64)
        x = nn.relu(conv("conv1")(x))
        x = nn.relu(x + conv("conv3")(nn.relu(conv("conv2")(x))))
        return nn.Dense(3, name="logits", param_dtype=jnp.float64)(x.mean((1, 2)))


def by_the_paper(image, baseline, gradient, steps=200, fraction=0.25, max_distance=0.02):
    """Algorithm 1 with the bounds of section 3.3: pixels with the least gradients move up to the path's upper bound."""
    on_path = lambda share: baseline + (image - baseline) * share
    x, total, found = baseline.copy(), np.abs(image - baseline).sum(), np.zeros_like(image)
    for i in range(1, steps + 1):
        slope = gradient(x)
        steepness, target = np.abs(slope), total * (1 - i / steps)
        low, high = (on_path(np.clip(i / steps + side * max_distance, 0, 1)) for side in (-1, 1))
        start = x.copy()
        x = np.where((x - low) * (image - baseline) < 0, low, x)
        while np.abs(image - x).sum() - target > 1e-9 * total:
            steepness[x == high] = np.inf
            threshold = np.sort(steepness.ravel())[int(fraction * (steepness.size - 1))]
            moving = (steepness <= threshold) & np.isfinite(steepness)
            reach = np.abs(high - x)[moving].sum()
            share = (np.abs(image - x).sum() - target) / reach
            x = np.where(moving, high if share > 1 else x + share * (high - x), x)
        found += (x - start) * slope
    return found


def test_the_defaults_are_the_authors_on_a_residual_network():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        images = rng.uniform(size=(2, 14, 14, 1))
        shapes = jax.eval_shape(Residual().init, jax.random.key(0), images)
        variables = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.4, leaf.shape)), shapes)
        found = np.asarray(attribute("guided_ig", Residual(), variables, images, 1, channels="keep"))
        score = probe.score_of(Residual(), variables, 1)
        slope = jax.jit(jax.grad(lambda image: score(image, {})[0]))
        gradient = lambda x: np.array(slope(jnp.asarray(x)))
        black = gradient(np.zeros((14, 14, 1)))
        assert len(np.unique(black)) < black.size  # the first step has to choose among equal gradients
        for image, of_image in zip(images, found, strict=True):
            due = by_the_paper(image, np.zeros_like(image), gradient)
            assert np.abs(due).max() > 1e-3
            np.testing.assert_allclose(of_image, due, atol=1e-8 * np.abs(due).max())
