"""In microbatches a function is the same: what treats images apart, what mixes them, what depends on their number."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.fast.microbatches import microbatch_count
from cnnviz.fast.rewrite import faster
from cnnviz.fast.switch import REWRITES, Rewrite
from cnnviz.models.cnn import CNN

KEY = jax.random.key(0)
IMAGES = jax.random.normal(KEY, (64, 6, 6, 2))
KERNEL = jax.random.normal(KEY, (3, 3, 2, 4))


@pytest.fixture(autouse=True)
def primitives(monkeypatch):
    """No convolution has a fast form, so that all of them can be counted."""
    monkeypatch.setitem(REWRITES, "cpu", frozenset(Rewrite) - {Rewrite.CONVOLUTIONS})


def convolved(x, kernel, **options):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), **options
    )


def convolutions(function, *arguments):
    return str(jax.make_jaxpr(function)(*arguments)).count("conv_general_dilated[")


def test_microbatches_are_equal_and_large_enough():
    assert [microbatch_count(count) for count in (0, 1, 32, 62, 63, 64, 65, 256, 4096)] == [1, 1, 1, 1, 1, 2, 1, 2, 2]


FUNCTIONS = {
    "apart": lambda y: nn.relu(y) * 2 + jnp.tanh(y),
    "pooled": lambda y: nn.avg_pool(nn.max_pool(y, (2, 2), (2, 2)), (3, 3), (1, 1), "SAME"),
    "pooled over images": lambda y: nn.max_pool(y[None], (2, 2, 2), (2, 2, 2))[0],
    "summed in each image": lambda y: y.sum((1, 2)) + y.max((1, 2)),
    "summed over images": lambda y: y - y.mean(0, keepdims=True),
    "deviation": lambda y: y / jnp.std(y, (0, 1, 2), keepdims=True),
    "in another order": lambda y: y + y[::-1] * jnp.cumsum(y, 0),
    "by the number of images": lambda y: y / len(y) + len(y),
    "turned": lambda y: nn.relu(jnp.swapaxes(y, 0, 1)) + 1,
    "with a value for each image": lambda y: y * jnp.arange(len(y))[:, None, None, None],
    "two at a time": lambda y: y.reshape(len(y) // 2, 2, *y.shape[1:]).max(1),
    "images as channels": lambda y: convolved(y.transpose(3, 1, 2, 0), jnp.ones((3, 3, len(y), 2))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_follows_a_convolution_has_the_same_values_and_gradients(name):
    plain = lambda x, kernel: FUNCTIONS[name](convolved(x, kernel))
    split = faster(plain, images=0)
    assert (
        convolutions(split, IMAGES, KERNEL) == convolutions(plain, IMAGES, KERNEL) + microbatch_count(len(IMAGES)) - 1
    )
    loss = lambda function: jax.value_and_grad(lambda *a: (function(*a) ** 2).mean(), argnums=(0, 1))
    found, wanted = (jax.jit(loss(function))(IMAGES, KERNEL) for function in (split, plain))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), found, wanted)


@pytest.mark.parametrize("name", ["cnn", "foreign"])
@jax.enable_x64(True)  # a bias before BatchNorm has no gradient but what rounding leaves of the others'
def test_a_model_s_training_step_is_the_same_in_microbatches(name, foreign):
    images = jax.random.uniform(KEY, (64, 8, 8, 3))
    model = CNN(classes=3) if name == "cnn" else foreign[0]  # with BatchNorm, remat, and a convolution called twice
    variables = jax.jit(model.init)(KEY, images) if name == "cnn" else foreign[1]

    def apply(variables, images):
        return model.apply(variables, images, train=True, rngs={"dropout": KEY}, mutable=["batch_stats"])

    def loss(apply):
        def of(params):
            logits, changed = apply(variables | {"params": params}, images)
            return (logits**2).sum(), changed

        return jax.jit(jax.value_and_grad(of, has_aux=True))(variables["params"])

    split = faster(apply, images=1)
    assert convolutions(split, variables, images) == microbatch_count(64) * convolutions(apply, variables, images)
    found, wanted = loss(split), loss(apply)
    scale = lambda b: 1e-5 * float(jnp.abs(b).max()) + 1e-6
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=scale(b)), found, wanted)


@pytest.mark.parametrize(("count", "groups"), [(9, 1), (40, 2), (64, 1)])
def test_a_kernel_s_gradient_is_a_sum_over_chunks(count, groups):
    x, kernel = jax.random.normal(KEY, (count, 6, 6, 2)), KERNEL[:, :, : 2 // groups]
    plain = lambda x, kernel: convolved(x, kernel, feature_group_count=groups)
    quick, parts = faster(plain, images=0), microbatch_count(count)
    loss = lambda function: lambda x, kernel: jnp.cos(function(x, kernel)).sum()
    derivatives = {
        "images": lambda f: jax.grad(loss(f), 0)(x, kernel),
        "kernel": lambda f: jax.grad(loss(f), 1)(x, kernel),
        "forward": lambda f: jax.jvp(f, (x, kernel), (jnp.sin(x), jnp.cos(kernel)))[1],
        "second": lambda f: jax.jvp(lambda k: jax.grad(loss(f), 1)(x, k), (kernel,), (jnp.cos(kernel),))[1],
        "mapped": lambda f: jax.vmap(jax.grad(loss(f), 1), (None, 0))(x, jnp.stack([kernel, 2 * kernel])),
    }
    for derivative in derivatives.values():
        found, wanted = (jax.jit(lambda f=f, of=derivative: of(f))() for f in (quick, plain))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(jnp.abs(wanted).max()))
    chunks = -(-count // 16)
    assert convolutions(jax.grad(loss(quick), 1), x, kernel) == parts + chunks  # values, and a gradient for each chunk
    assert convolutions(jax.grad(loss(quick), 0), x, kernel) == 2 * parts  # values, and the images' gradients
