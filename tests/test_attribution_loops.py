"""A loop whose number of rounds depends on its values has no derivative: methods that take one say where it is."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import attribute, suite
from cnnviz.errors import InputError

IMAGES = np.random.default_rng(0).uniform(size=(1, 6, 6, 1)).astype(np.float32)


class Doubled(nn.Module):
    """Doubles its input until the sum is large."""

    @nn.compact
    def __call__(self, x):
        return jax.lax.while_loop(lambda x: jnp.abs(x).sum() < 1e3, lambda x: 2 * x, x)


class Net(nn.Module):
    """A loop between a convolution and a dense layer."""

    @nn.compact
    def __call__(self, x):
        x = Doubled(name="doubled")(nn.relu(nn.Conv(3, (3, 3), name="conv")(x)))
        return nn.Dense(2, name="logits")(x.mean((1, 2)))


@pytest.fixture(scope="module")
def variables():
    return Net().init(jax.random.key(0), IMAGES)


@pytest.mark.parametrize("name", ["gradient", "integrated_gradients", "grad_cam"])
def test_the_loop_is_named(name, variables):
    for ask in (attribute, lambda name, *given: suite([name], *given)):
        with pytest.raises(InputError, match="The while_loop in Net/doubled has no derivative"):
            ask(name, Net(), variables, IMAGES, 1)


@pytest.mark.parametrize("name", ["full_grad", "guided_backprop", "lrp", "deep_lift"])
def test_the_step_without_a_rule_is_named(name, variables):
    with pytest.raises(InputError, match="The step 'while' in Net/doubled, which depends on the image, has no rule"):
        attribute(name, Net(), variables, IMAGES, 1)


def test_a_method_without_derivatives_goes_through(variables):
    assert np.isfinite(attribute("score_cam", Net(), variables, IMAGES, 1, layers="conv")).all()
