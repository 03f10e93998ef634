"""DeepLIFT through what depends on the image in several ways: its values are finite and sum to the difference."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import build, suite

KEY = jax.random.key(0)


def norm(x, axes):
    return jnp.sqrt(jnp.square(x).sum(axes, keepdims=True))


def local_response(x):
    squares = jnp.pad(x * x, ((0, 0), (0, 0), (0, 0), (2, 2)))
    return x / (1 + 0.1 * sum(squares[..., i : i + 8] for i in range(5))) ** 0.75


def responses(x):
    """Global response normalization, with its residual."""
    g = norm(x, (1, 2))
    return 1.3 * x * (g / (g.mean(-1, keepdims=True) + 1e-6)) + 0.1 + x


NORMALIZATIONS = {
    "layer": nn.LayerNorm(),
    "layer, small epsilon": nn.LayerNorm(epsilon=1e-12, use_fast_variance=False),
    "group": nn.GroupNorm(2),
    "instance": nn.InstanceNorm(),
    "root mean square": nn.RMSNorm(),
    "l2": lambda x: x / jnp.maximum(norm(x, -1), 1e-12),
    "l2 by rsqrt": lambda x: x * jax.lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-12),
    "local response": local_response,
    "global response": responses,
    "softmax over channels": lambda x: jax.nn.softmax(4 * x, -1),
    "glu": lambda x: nn.glu(jnp.concatenate([x, x[..., ::-1]], -1)),
    "split and joined": lambda x: jnp.concatenate(jnp.split(x, 2, -1)[::-1], -1),
}
POOLINGS = {
    "deviation": lambda x: x.std((1, 2)),
    "generalized mean": lambda x: (jnp.maximum(x, 1e-6) ** 3).mean((1, 2)) ** (1 / 3),
    "log of a sum": lambda x: jax.nn.logsumexp(5 * x, (1, 2)) / 5,
    "log of a mean": lambda x: jnp.log(jnp.exp(10 * x).mean((1, 2))) / 10,
}
SELECTIONS = {
    "sorted": lambda x: jnp.sort(x.reshape(len(x), -1, 8), 1)[:, -5:].mean(1),
    "top k": lambda x: jax.lax.top_k(x.reshape(len(x), -1, 8).swapaxes(1, 2), 5)[0].mean(-1),
    "median": lambda x: jnp.median(x, (1, 2)),
    "at the greatest": lambda x: jnp.take_along_axis(
        x.reshape(len(x), -1, 8), x.sum(-1).reshape(len(x), -1).argmax(1)[:, None, None], 1
    )[:, 0],
    "a window where it is brightest": lambda x: jax.vmap(
        lambda one: jax.lax.dynamic_slice(one, (one.sum((1, 2)).argmax(), 0, 0), (2, 8, 8)).mean((0, 1))
    )(x),
}


class Net(nn.Module):
    """Two convolutions with this between them, this pooling, and a dense layer."""

    middle: object = lambda x: x
    pooling: object = lambda x: x.mean((1, 2))

    @nn.compact
    def __call__(self, x):
        middle = self.middle.copy() if isinstance(self.middle, nn.Module) else self.middle
        x = nn.relu(middle(nn.Conv(8, (3, 3), name="conv1")(x)))
        return nn.Dense(3, name="logits")(self.pooling(nn.relu(nn.Conv(8, (3, 3), name="conv2")(x))))


def check(seed=0, **parts):
    """The maps of both rules against black images and against others are finite and complete."""
    rng, model = np.random.default_rng(seed), Net(**parts)
    images, others = rng.uniform(size=(2, 4, 8, 8, 3)).astype(np.float32)
    others[:2] = 0
    shapes = jax.eval_shape(model.init, KEY, images)
    variables = jax.tree.map(lambda leaf: rng.normal(0, 0.5, leaf.shape).astype(np.float32), shapes)
    rules = {rule: build("deep_lift", rule=rule, baseline=others) for rule in ("rescale", "reveal_cancel")}
    difference = np.asarray(model.apply(variables, images) - model.apply(variables, others))[:, 1]
    for rule, found in suite(rules, model, variables, images, 1, details=True).items():
        assert np.isfinite(found.maps).all(), rule
        # float32 leaves 1e-5, which is a lot of a difference that is nearly zero by chance
        assert (np.abs(found.gap) < 1e-3 * np.abs(difference) + 1e-5).all(), (rule, found.gap, difference)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_the_values_sum_to_the_difference_through_a_normalization(name):
    check(middle=NORMALIZATIONS[name])


@pytest.mark.parametrize("name", POOLINGS | SELECTIONS)
def test_the_values_sum_to_the_difference_through_a_pooling(name):
    check(pooling=(POOLINGS | SELECTIONS)[name])
