"""Names of operations in further styles of other people's networks: kernels that depend on the image, constant kernels,
weights that are normalized, members that are mapped over, activations and normalizations of one's own.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import names_of_layers
from flax import nnx

from cnnviz import probe
from cnnviz.attribution import attribute
from cnnviz.errors import InputError

X = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))
NHWC = ("NHWC", "HWIO", "NHWC")


class KernelPerImage(nn.Module):
    """CondConv: each image mixes a kernel of its own."""

    @nn.compact
    def __call__(self, x):
        mix = nn.sigmoid(nn.Dense(2, name="routing")(x.mean((1, 2))))
        kernels = self.param("kernels", nn.initializers.lecun_normal(), (2, 3, 3, x.shape[-1], 4))
        own = lambda x, w: jax.lax.conv_general_dilated(x[None], w, (1, 1), "SAME", dimension_numbers=NHWC)[0]
        return nn.relu(jax.vmap(own)(x, jnp.einsum("bn,nhwio->bhwio", mix, kernels)))


class BlurPool(nn.Module):
    """A blur before every second pixel is taken, with a constant kernel, in the network and in a module of its own."""

    @nn.compact
    def __call__(self, x):
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3))(x)), (2, 2), strides=(1, 1), padding="SAME")
        x = Blur(name="blur")(x)
        return Blur.of(nn.silu(nn.Conv(4, (3, 3))(x)))


class Blur(nn.Module):
    def __call__(self, x):
        return self.of(x)

    @staticmethod
    def of(x):
        kernel = np.tile(np.float32([1, 2, 1, 2, 4, 2, 1, 2, 1]).reshape(3, 3, 1, 1) / 16, x.shape[-1])
        options = {"dimension_numbers": NHWC, "feature_group_count": x.shape[-1]}
        return jax.lax.conv_general_dilated(x, kernel.astype(x.dtype), (2, 2), "SAME", **options)


class WeightNormed(nn.Module):
    @nn.compact
    def __call__(self, x):
        unit = lambda tree: jax.tree.map(lambda w: w / (1e-6 + jnp.linalg.norm(w)), tree)
        normed = nn.map_variables(nn.Conv, "params", unit, init=self.is_initializing())
        x = nn.relu(nn.WeightNorm(nn.Conv(4, (3, 3), name="first"))(x))
        return nn.relu(normed(4, (3, 3), name="second")(x))


class Branch(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Conv(4, (3, 3))(x))


class Mapped(nn.Module):
    """Three branches with weights of their own by `nn.vmap`, and one of two by `nn.switch`."""

    @nn.compact
    def __call__(self, x):
        options = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}, "axis_size": 3}
        x = nn.vmap(Branch, in_axes=None, out_axes=3, **options)(name="branches")(x).sum(3)
        one, other = nn.Conv(4, (3, 3), name="one"), nn.Conv(4, (1, 1), name="other")
        branches = [lambda _, x: one(x), lambda _, x: other(x)]
        if self.is_initializing():
            for branch in branches:
                branch(self, x)
        return nn.tanh(nn.switch(1, branches, self, x))


@jax.custom_jvp
def straight(x):
    """A step whose derivative is that of the identity."""
    return jnp.where(x > 0, 1.0, 0.0)


straight.defjvp(lambda primals, tangents: (straight(*primals), tangents[0]))


@jax.custom_vjp
def hard_tanh(x):
    return jnp.maximum(-1.0, jnp.minimum(1.0, x))


hard_tanh.defvjp(lambda x: (hard_tanh(x), x), lambda x, ct: (ct * (jnp.abs(x) < 1),))


class OwnFunctions(nn.Module):
    @nn.compact
    def __call__(self, x):
        slope = self.param("slope", nn.initializers.constant(0.25), (1, 1, 1, 4))
        x = hard_tanh(nn.Conv(4, (3, 3))(x))
        x = straight(nn.Conv(4, (3, 3))(x)) + x
        x = jnp.maximum(0, x) + slope * jnp.minimum(0, x)
        x = nn.relu(x) - 0.1 * nn.relu(-x)
        return partial(nn.gelu, approximate=True)(nn.Conv(4, (1, 1))(x) + nn.relu(x))


class OwnNorms(nn.Module):
    @nn.compact
    def __call__(self, x):
        scale, shift = (self.param(name, nn.initializers.ones, (1, 1, 1, 4)) for name in ("scale", "shift"))
        x = nn.Conv(4, (3, 3))(x)
        x = scale * (x - x.mean((1, 2), keepdims=True)) * jax.lax.rsqrt(jnp.var(x, (1, 2), keepdims=True) + 1e-5)
        x = nn.ConvLocal(4, (2, 2), strides=(2, 2))(nn.relu(x + shift))
        return x / jnp.sqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6)


class Decoder(nn.Module):
    """Up by a transposed convolution, by a resize, and by pixels out of channels."""

    @nn.compact
    def __call__(self, x):
        n, h, w, _ = x.shape
        x = nn.leaky_relu(nn.ConvTranspose(4, (3, 3), strides=(2, 2))(x), 0.2)
        x = nn.Dropout(0.5, deterministic=True)(jax.image.resize(x, (n, h, w, 4), "bilinear"))
        x = nn.softplus(nn.Conv(16, (3, 3))(x))
        return x.reshape(n, h, w, 2, 2, 4).transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, 4)


class ShuffledGroups(nn.Module):
    """ShuffleNet's split and shuffle, a depthwise convolution, and squeeze-and-excitation."""

    @nn.compact
    def __call__(self, x):
        kept, x = jnp.split(partial(jax.nn.swish)(nn.Conv(8, (3, 3))(x)), 2, -1)
        x = nn.relu6(nn.Conv(4, (3, 3), feature_group_count=4, name="depthwise")(x))
        x = jnp.concatenate([kept, x], -1)
        x = x.reshape(*x.shape[:-1], 2, 4).swapaxes(-1, -2).reshape(x.shape)
        squeezed = nn.relu(nn.Dense(2, name="squeeze")(jnp.mean(x, axis=(-3, -2))))
        return x * jax.nn.sigmoid(nn.Dense(8, name="excite")(squeezed))[:, None, None]


class Headed(nn.Module):
    body: nn.Module

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="head")(self.body(x).mean((1, 2)))


# the names in each body, whose last operation is "body" itself, and the layer that Grad-CAM looks at
STYLES = {
    KernelPerImage: ("mean routing sigmoid", "body"),
    BlurPool: ("Conv_0 relu max_pool blur Conv_1 silu", "body/silu"),
    WeightNormed: ("first WeightNorm_0 relu second", "body"),
    Mapped: ("branches/Conv_0 branches sum other", "body"),
    OwnFunctions: ("Conv_0 hard_tanh Conv_1 straight add_0 leaky_relu_0 leaky_relu_1 Conv_2 relu add_1", "body"),
    OwnNorms: ("Conv_0 normalize relu ConvLocal_0", "body/relu"),
    Decoder: ("ConvTranspose_0 leaky_relu resize Dropout_0 Conv_0 softplus", "body/softplus"),
    ShuffledGroups: ("Conv_0 silu depthwise relu6 concatenate mean squeeze relu excite sigmoid", "body"),
}


@pytest.fixture(scope="module")
def networks():
    found = {}
    for style in STYLES:
        model = Headed(style())
        shapes = jax.eval_shape(model.init, jax.random.key(0), X)
        rng = np.random.default_rng(0)
        found[style] = model, jax.tree.map(lambda leaf, r=rng: jnp.asarray(r.normal(0, 0.3, leaf.shape), "f"), shapes)
    return found


each_style = pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)


@each_style
def test_a_person_would_know_each_layer(style, networks):
    names = [layer.name for layer in probe.layers(*networks[style], (8, 8, 3))]
    assert [name.removeprefix("body/") for name in names] == [*STYLES[style][0].split(), "body", "mean", "head"]


@each_style
def test_names_stay_for_other_batches_types_and_inside_jit(style, networks):
    model, variables = networks[style]
    expected = list(probe.activations(model, variables, X))
    assert names_of_layers(model, variables, (X[:1], jnp.zeros((5, 8, 8, 3))), X) == [expected] * 3


@each_style
def test_maps_are_of_the_last_feature_maps_and_of_each_image_alone(style, networks):
    model, variables = networks[style]
    found = attribute("grad_cam", model, variables, X, 1, details=True)
    assert list(found.layers) == [STYLES[style][1]]
    for method in ("gradient", "lrp"):
        maps = attribute(method, model, variables, X, 1)
        assert np.isfinite(maps).all()
        np.testing.assert_allclose(maps[1:], attribute(method, model, variables, X[1:], 1), atol=1e-5)


class Streams(nnx.Module):
    """As Flax's MNIST example: the random streams of dropout are an argument of the call."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv, self.drop = nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.Dropout(0.5)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x, rngs: nnx.Rngs):
        return self.head(self.drop(nnx.relu(self.conv(x)), rngs=rngs).mean((1, 2)))


class MayStream(Streams):
    def __call__(self, x, rngs: nnx.Rngs | None = None):
        return Streams.__call__(self, x, rngs)


@pytest.mark.parametrize("kind", [Streams, MayStream])
def test_random_streams_in_the_call_are_drawn_in_training_alone(kind):
    own = kind(nnx.Rngs(0))
    model, variables = probe.from_nnx(own)
    own.eval()
    np.testing.assert_allclose(probe.logits(model, variables, X), own(X, None), atol=1e-6)
    assert [layer.name for layer in probe.layers(model, variables, (8, 8, 3))] == "conv relu drop mean head".split()
    trained = jax.jit(lambda key: model.train(variables, X, key)[0])
    first, again, other = (trained(jax.random.key(i)) for i in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


class OfNumbers(nn.Module):
    """Code that makes Python numbers of JAX's, which a trace does not know, of none of its inputs or of the images."""

    of_images: bool = False

    @nn.compact
    def __call__(self, x, train=False):
        rates = jnp.linspace(0, 0.1, 3) + (x.mean() if self.of_images else 0)
        x = nn.relu(nn.Conv(int(jnp.sqrt(jnp.asarray(16.0))), (3, 3))(x))
        x = nn.Dropout(rates[1].item(), deterministic=not train)(x)
        return nn.Dense(3)(x.reshape(len(x), -1))


def test_numbers_that_the_code_makes_of_jax_s_own_are_known_and_those_of_images_are_refused():
    model = OfNumbers()
    variables = model.init(jax.random.key(0), X)
    assert [layer.name for layer in probe.layers(model, variables, (8, 8, 3))][:2] == ["Conv_0", "relu"]
    np.testing.assert_allclose(probe.logits(model, variables, X), model.apply(variables, X), atol=1e-5)
    assert attribute("lrp", model, variables, X, 1).any()
    with pytest.raises(InputError, match="depend on the images or variables, so it cannot be compiled; write it with"):
        probe.layers(OfNumbers(True), variables, (8, 8, 3))
