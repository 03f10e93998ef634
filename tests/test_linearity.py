"""What is called linear, affine or piecewise linear is that by numbers, and methods that need it take all of it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import attribute
from cnnviz.attribution.layers import places
from cnnviz.probe import NOTHING

KEY = jax.random.key(0)

HEADS = {
    "split": lambda z: sum(jnp.split(z, 2, -1)),
    "stack": lambda z: jnp.stack([z, 2 * z]).sum(0),
    "tile": lambda z: jnp.tile(z, (1, 2))[:, 1:7],
    "cumsum": lambda z: jnp.cumsum(z, -1),
    "unstack": lambda z: jnp.concatenate(jnp.unstack(z[..., None], axis=2), -1),
    "where": lambda z: jnp.where(jnp.arange(6) > 2, z, 0),
    "update": lambda z: z.at[:, 0].set(3.0),
    "add to a part": lambda z: z.at[:, 1].add(z[:, 0]),
    "complex": lambda z: jnp.fft.fft(z).real,
}


class Headed(nn.Module):
    """A mean over places, a dense layer, and what makes classes of its features."""

    head: str

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        self.sow("intermediates", "relu", x)
        return HEADS[self.head](nn.Dense(6)(x.mean((1, 2))))


@pytest.fixture(params=HEADS)
def headed(request, images):
    model = Headed(request.param)
    return model, jax.jit(model.init)(KEY, images)


def test_cam_takes_every_linear_head(headed, images):
    """With its bias and the constants that the head adds, the mean of the map is the logit."""
    model, variables = headed
    maps = attribute("cam", model, variables, images, 1, layers="relu", upsampling=None)
    params = variables["params"]
    dark = {"params": params | {"conv": jax.tree.map(jnp.zeros_like, params["conv"])}}
    logits = [model.apply(v, images)[:, 1] for v in (variables, dark)]
    np.testing.assert_allclose(maps.mean((1, 2)), logits[0] - logits[1], rtol=1e-4, atol=1e-5)


def test_eq_10_of_grad_cam_pp_needs_no_nested_derivatives_after_a_linear_head(headed, images):
    model, variables = headed
    found = places(model, variables, images.shape[1:], NOTHING)
    assert {place.bends for place in found if place.leads} == {()}
