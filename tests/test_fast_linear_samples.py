"""A sum over samples is the sum of what each gives, whatever of it is done once for all of them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.fast.linear_samples import over_samples
from cnnviz.graph import Graph

KEY = jax.random.key(0)
IMAGE = jax.random.normal(KEY, (6, 5, 2))
NOISE = jax.random.normal(KEY, (7, *IMAGE.shape))
AT = jnp.linspace(0.1, 1, 7)
KERNEL = jax.random.normal(KEY, (3, 3, 2, 4))
WIDE = jax.random.normal(KEY, (4, 3, 3, 2))


def convolved(x):
    return jax.lax.conv_general_dilated(x[None], KERNEL, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))[0]


def score(x):
    return jnp.tanh(convolved(x) + 0.5).sum()


def twice(function):
    """A function with a derivative of its own, and a linear inside."""
    custom = jax.custom_jvp(function)
    custom.defjvp(lambda primals, tangents: (custom(*primals), 2 * function(*tangents)))
    return custom


FUNCTIONS = {
    "a gradient on a line": lambda i: jax.grad(score)(IMAGE * AT[i] + 1),
    "a gradient with noise": lambda i: jax.grad(score)(IMAGE + NOISE[i]),
    "weighed in the gradient": lambda i: jax.grad(lambda x: AT[i] * score(x))(AT[i] * IMAGE),
    "weighed after it": lambda i: AT[i] * jax.grad(score)(AT[i] * IMAGE),
    "two numbers": lambda i: jnp.tanh(convolved(AT[i] * IMAGE + (AT[i] + 1) * NOISE[0]) + jnp.cos(AT[i])),
    "a number's square": lambda i: convolved(AT[i] * (AT[i] * IMAGE)),
    "a linear function": lambda i: convolved(NOISE[i]),
    "a constant added": lambda i: convolved(NOISE[i]) + 3,
    "a constant beside": lambda i: jnp.concatenate([NOISE[i], IMAGE]),
    "a constant around": lambda i: jnp.pad(NOISE[i], 1, constant_values=2.0),
    "zeros around": lambda i: jnp.pad(NOISE[i], 1),
    "on a line, padded": lambda i: jnp.tanh(jnp.pad(AT[i] * IMAGE, 1, constant_values=2.0)),
    "divided": lambda i: (NOISE[i] / IMAGE, IMAGE / (NOISE[i] + 5)),
    "a part of it": lambda i: (NOISE[i][2:4, ::-1], NOISE[i][:, 3], jnp.split(NOISE[i], 2)),
    "one value twice": lambda i: {"tanh": jnp.tanh(NOISE[i]), "and": convolved(NOISE[i]), "itself": NOISE[i]},
    "nothing of the sample": lambda i: (IMAGE, 2.0, jnp.ones(3)),
    "whole numbers": lambda i: (i, 2 * i + 1, (NOISE[i] > 0).astype(jnp.int32).sum()),
    "cut to whole numbers": lambda i: convolved(NOISE[i]).astype(jnp.int32),
    "a derivative of its own": lambda i: jax.grad(lambda x: jnp.sin(twice(convolved)(x)).sum())(AT[i] * IMAGE),
    "a function in a function": lambda i: jax.jit(convolved)(AT[i] * IMAGE),
    "a loop": lambda i: jax.lax.fori_loop(0, 3, lambda _, x: x * 2, NOISE[i]),
    "half of the bits": lambda i: (AT[i].astype(jnp.bfloat16) * IMAGE.astype(jnp.bfloat16)).astype(jnp.float32),
    "a mask": lambda i: jnp.where(IMAGE > 0, NOISE[i], 0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("first", "size", "samples"), [(0, 7, 7), (4, 4, 7), (6, 1, 7), (0, 3, 2)], ids=str)
def test_the_sum_is_that_of_all_samples(name, first, size, samples):
    found = jax.jit(lambda first: over_samples(FUNCTIONS[name], first, size, samples, keep=False))(first)
    every = jax.vmap(FUNCTIONS[name])(jnp.arange(first, min(first + size, samples)))
    wanted = jax.tree.map(lambda leaf: leaf.sum(0), every)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), found) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), wanted
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4), found, wanted)


def images_in_convolutions(function, *arguments):
    """How many images each convolution of the function goes over."""
    graph, _ = Graph.of(function, *arguments)
    return [node.inputs[0].shape[0] for node in graph.nodes if node.name == "conv_general_dilated"]


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("a gradient on a line", [1, 1, 1]),  # of its start and its slope, and the transpose
        ("a gradient with noise", [7, 1]),
        ("weighed in the gradient", [1, 1, 1]),
        ("weighed after it", [1, 1, 7]),
        ("a linear function", [1]),
        ("a constant added", [7]),
    ],
)
def test_what_is_linear_is_done_once(name, images):
    assert images_in_convolutions(lambda: over_samples(FUNCTIONS[name], 0, 7, 7, keep=False)) == images
    kept = images_in_convolutions(lambda: over_samples(FUNCTIONS[name], 0, 7, 7, keep=True))
    assert set(kept) == {7}


def test_rows_have_lines_of_their_own():
    rows = jax.random.normal(KEY, (3, *IMAGE.shape))
    gradient = lambda row, i: jax.grad(score)(AT[i] * row)
    found = jax.jit(jax.vmap(lambda row: over_samples(lambda i: gradient(row, i), 0, 7, 7, keep=False)))(rows)
    wanted = jax.vmap(lambda row: jax.vmap(lambda i: gradient(row, i))(jnp.arange(7)).sum(0))(rows)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_it_has_derivatives():
    of = lambda x: over_samples(lambda i: jax.grad(score)(AT[i] * x), 0, 7, 7, keep=False)
    plain = lambda x: jax.vmap(lambda i: jax.grad(score)(AT[i] * x))(jnp.arange(7)).sum(0)
    norm = lambda function: jax.jit(jax.grad(lambda x: (function(x) ** 2).sum()))(IMAGE)
    np.testing.assert_allclose(norm(of), norm(plain), rtol=1e-3, atol=1e-4)


def test_a_layer_s_bias_stays_what_it_is():
    layer = nn.Sequential([nn.Conv(4, (3, 3), bias_init=nn.initializers.normal(1.0)), nn.relu, nn.Dense(1)])
    variables = layer.init(KEY, IMAGE[None])
    apply = lambda i: layer.apply(variables, AT[i] * IMAGE[None])
    found, every = over_samples(apply, 0, 7, 7, keep=False), jax.vmap(apply)(jnp.arange(7))
    np.testing.assert_allclose(found, every.sum(0), rtol=1e-4, atol=1e-4)
