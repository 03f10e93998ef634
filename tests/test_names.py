"""Names of operations in models that nobody edited, in the styles that people write, and how layers are asked for."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cnnviz import probe

X = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))


class Setup(nn.Module):
    def setup(self):
        self.first = nn.Conv(4, (3, 3))
        self.second = nn.Conv(4, (3, 3))
        self.head = nn.Dense(3)

    def features(self, x):
        return nn.relu(self.second(nn.max_pool(nn.relu(self.first(x)), (2, 2), strides=(2, 2))))

    def __call__(self, x):
        return self.head(self.features(x).reshape(len(x), -1))


class Compact(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = jax.nn.silu(nn.Conv(4, (3, 3))(x))
        x = nn.avg_pool(nn.BatchNorm(use_running_average=True)(x), (2, 2), strides=(2, 2))
        x = nn.leaky_relu(nn.Dense(5)(x.mean((1, 2))))
        return nn.softmax(nn.Dense(3)(x))


class Chain(nn.Module):
    @nn.compact
    def __call__(self, x):
        pool = partial(nn.max_pool, window_shape=(2, 2), strides=(2, 2))
        body = [nn.Conv(4, (3, 3)), nn.relu, pool, nn.Conv(4, (3, 3)), nn.relu]
        x = nn.Sequential(body)(x)
        return nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(5), nn.tanh, nn.Dense(3)])(x)


class Listed(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        conv = partial(nnx.Conv, kernel_size=(3, 3), rngs=rngs)
        self.layers = nnx.List([conv(3, 4), nnx.relu, conv(4, 4), jnp.tanh])
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean((1, 2)))


class Jitted(Listed):
    __call__ = nnx.jit(Listed.__call__)


class Stack(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        conv = partial(nnx.Conv, kernel_size=(3, 3), rngs=rngs)
        self.body = nnx.Sequential(conv(3, 4), nnx.relu, nnx.LayerNorm(4, rngs=rngs), nnx.gelu)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(jnp.max(self.body(x), axis=(1, 2)))


class Residual(nn.Module):
    width: int = 3

    @nn.compact
    def __call__(self, x):
        y = nn.relu(nn.BatchNorm(use_running_average=True)(nn.Conv(self.width, (3, 3))(x)))
        y = nn.BatchNorm(use_running_average=True)(nn.Conv(self.width, (3, 3))(y))
        return nn.relu(x + y)


class Remat(nn.Module):
    transform: bool = True

    @nn.compact
    def __call__(self, x):
        block = nn.remat(Residual) if self.transform else Residual
        for i in range(2):
            x = block(name=f"block{i + 1}")(x)
        return nn.Dense(3)(x.mean((1, 2)))


class Step(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        y = nn.relu(nn.Conv(3, (3, 3))(x))
        self.sow("intermediates", "twice", 2 * y)
        return x + y, None


class Scan(nn.Module):
    length: int = 2

    @nn.compact
    def __call__(self, x):
        options = dict(variable_axes={"params": 0}, split_rngs={"params": True}, length=self.length)
        x, _ = nn.scan(Step, **options)(name="layers")(x, None)
        return nn.Dense(3)(x.mean((1, 2)))


class Lambdas(nn.Module):
    activations = (
        lambda x: jnp.maximum(x, 0),
        lambda x: jax.lax.max(x, 0.0),
        lambda x: jnp.where(x > 0, x, 0),
        lambda x: x * nn.sigmoid(x),
        lambda x: jnp.maximum(x, 0.1 * x),
        lambda x: x * jnp.clip(x + 3, 0, 6) / 6,
        lambda x: 0.5 * x * (1 + jax.scipy.special.erf(x / np.sqrt(2))),
        lambda x: jnp.log(1 + jnp.exp(x)),
        lambda x: jnp.minimum(jnp.maximum(x, 0), 6),
        jnp.sin,
        nn.elu,
        jax.jit(lambda x: nn.hard_swish(x)),
    )

    @nn.compact
    def __call__(self, x):
        for activation in self.activations:
            x = activation(nn.Conv(3, (1, 1))(x))
        return nn.Dense(3)(x.mean((1, 2)))


class Gate(nn.Module):
    @nn.compact
    def __call__(self, x):
        squeezed = x.mean((1, 2), keepdims=True)
        return x * nn.sigmoid(nn.Dense(x.shape[-1])(nn.relu(nn.Dense(2)(squeezed))))


class Branches(nn.Module):
    @nn.compact
    def __call__(self, x):
        a = nn.relu(nn.Conv(4, (1, 1), name="one")(x))
        b = nn.relu(nn.Conv(4, (3, 3), name="three")(x))
        x = jnp.concatenate([a, b, nn.max_pool(x, (3, 3), padding="SAME")], axis=-1)
        x = Gate(name="gate")(x)
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        x = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale.reshape(1, 1, 1, -1)
        return nn.Dense(3)(x.sum((1, 2)))


class Shared(nn.Module):
    @nn.compact
    def __call__(self, x):
        block = Residual(name="block")
        return nn.Dense(3)(block(block((x - 0.5) / 0.25)).mean((1, 2)))


class Attention(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (4, 4), strides=(4, 4), name="patches")(x).reshape(len(x), -1, 4)
        x = x + self.param("position", nn.initializers.normal(), (1, *x.shape[1:]))
        y = nn.LayerNorm(name="norm")(x)
        x = x + nn.MultiHeadDotProductAttention(num_heads=2, name="attention")(y, y)
        return nn.Dense(3, name="head")(x.mean(1))


class Taken(nn.Module):
    """A user's own names where an operation's would be."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(3, (3, 3), name="relu")(x)
        self.sow("intermediates", "tanh_0", nn.relu(x))
        x = nn.tanh(nn.Conv(3, (3, 3), name="mean")(nn.tanh(nn.relu(x))))
        return nn.Dense(3)(x.mean((1, 2)))


BLOCK = "Conv_0 BatchNorm_0 relu Conv_1 BatchNorm_1 add"
STYLES = {
    Setup(): "first relu_0 max_pool second relu_1 flatten head",
    Compact(): "Conv_0 silu BatchNorm_0 avg_pool mean Dense_0 leaky_relu Dense_1 softmax",
    Chain(): "Conv_0 Sequential_0/relu Sequential_0/max_pool Conv_1 Sequential_0 Sequential_1/flatten Dense_0 "
    "Sequential_1/tanh Dense_1 Sequential_1",
    Listed: "layers/0 relu layers/2 tanh mean head",
    Jitted: "layers/0 relu layers/2 tanh mean head",
    Stack: "body/layers/0 body/relu body/layers/2 body max head",
    Remat(): " ".join(f"block{i}/{name}" if name else f"block{i}" for i in (1, 2) for name in [*BLOCK.split(), ""])
    + " mean Dense_0",
    Scan(): " ".join(f"layers/{i}/{name}" for i in range(2) for name in ("Conv_0", "relu", "twice", "add"))
    + " mean Dense_0",
    Lambdas(): " ".join(
        f"Conv_{i} {name}"
        for i, name in enumerate(
            "relu_0 relu_1 relu_2 silu leaky_relu hard_swish_0 gelu softplus relu6 sin elu hard_swish_1".split()
        )
    )
    + " mean Dense_0",
    Branches(): "one relu_0 three relu_1 max_pool concatenate gate/mean gate/Dense_1 gate/relu gate/Dense_0 "
    "gate/sigmoid gate normalize sum Dense_0",
    Shared(): " ".join(f"block/{name}@{i}" if name else f"block@{i}" for i in (0, 1) for name in [*BLOCK.split(), ""])
    + " mean Dense_0",
    Attention(): "patches flatten norm attention/query attention/key attention/value attention/out attention add mean "
    "head",
    Taken(): "relu tanh_0 relu_0 tanh_1 mean tanh_2 mean_0 Dense_0",
}


def opened(model):
    if isinstance(model, type):
        return probe.from_nnx(model(nnx.Rngs(0)))
    shapes = jax.eval_shape(model.init, jax.random.key(0), X)
    return model, jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1, leaf.dtype), shapes)


@pytest.fixture(scope="module")
def networks():
    return {model: opened(model) for model in STYLES}


def named(model, variables, images=X):
    return [layer.name for layer in probe.layers(model, variables, images.shape[1:])]


each_style = pytest.mark.parametrize(
    "style", STYLES, ids=lambda style: getattr(style, "__name__", type(style).__name__)
)


@each_style
def test_every_operation_that_a_person_would_name_has_a_name(style, networks):
    assert named(*networks[style]) == STYLES[style].split()
