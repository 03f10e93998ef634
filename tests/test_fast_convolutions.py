"""A convolution in its fast form is the convolution: values, derivatives, and what has no such form stays."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.fast.rewrite import with_fast_convolutions
from cnnviz.graph import Graph

KEY = jax.random.key(0)
LAYOUT = ("NHWC", "HWIO", "NHWC")
MANY = {  # name of the form -> channels of the images, channels of the result, the kernel's sides
    "sum_of_shifts": [(1, 8, (3, 2)), (1, 5, (2, 3)), (3, 8, (1, 5)), (2, 16, (4, 4))],
    "sum_of_places": [(16, 1, (3, 3)), (5, 3, (2, 4)), (7, 4, (1, 5))],
    "columns_at_once": [(5, 7, (3, 2)), (6, 8, (5, 5)), (16, 16, (3, 3)), (16, 12, (1, 4))],
}
CASES = [(form, *sizes) for form, all_sizes in MANY.items() for sizes in all_sizes]
USUAL = {"window_strides": (1, 1), "padding": ((1, 1), (1, 1))}
ANY = [USUAL, {"window_strides": (1, 1), "padding": ((2, 0), (-1, 3))}]
OPTIONS = {
    "columns_at_once": ANY,
    "sum_of_places": [*ANY, USUAL | {"rhs_dilation": (2, 1)}, USUAL | {"lhs_dilation": (2, 3)}],
    "sum_of_shifts": [*ANY, USUAL | {"rhs_dilation": (2, 1)}, USUAL | {"window_strides": (2, 3)}],
}


def primitives(function, *arguments):
    return str(jax.make_jaxpr(function)(*arguments)).count("conv_general_dilated[")


def form_of(function, *arguments):
    """The name of the form that the function's one convolution has, by the primitives it is made of."""
    graph, _ = Graph.of(with_fast_convolutions(function), *arguments)
    found = {node.name for node in graph.nodes}
    if "conv_general_dilated" in found:
        return "columns_at_once" if "stack" in found else None
    return "sum_of_places" if "dot_general" in found else "sum_of_shifts"


@pytest.mark.parametrize(("form", "inputs", "outputs", "sides"), CASES, ids=str)
def test_each_form_has_the_same_values(form, inputs, outputs, sides):
    x = jax.random.normal(KEY, (8, 10, 9, inputs))
    kernel = jax.random.normal(KEY, (*sides, inputs, outputs))
    for options in OPTIONS[form]:
        plain = lambda x, kernel: jax.lax.conv_general_dilated(x, kernel, dimension_numbers=LAYOUT, **options)  # noqa: B023
        assert form_of(plain, x, kernel) == form
        found = jax.jit(with_fast_convolutions(plain))(x, kernel)
        np.testing.assert_allclose(found, plain(x, kernel), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("form", "inputs", "outputs", "sides"), CASES, ids=str)
def test_a_form_s_derivatives_are_right_and_those_of_a_convolution_have_forms(form, inputs, outputs, sides):
    x = jax.random.normal(KEY, (8, 10, 9, inputs))
    layer = nn.Conv(outputs, sides)
    variables = layer.init(KEY, x)
    loss = lambda x, variables: jnp.sin(layer.apply(variables, x)).sum()
    close = lambda a, b: jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=2e-4, atol=2e-4), a, b)
    gradient = jax.grad(loss, argnums=(0, 1))
    each = jax.vmap(jax.grad(lambda one, variables: loss(one[None], variables)), (0, None))
    wanted = jax.jit(gradient)(x, variables)
    close(jax.jit(jax.grad(with_fast_convolutions(loss), argnums=(0, 1)))(x, variables), wanted)
    close(jax.jit(with_fast_convolutions(gradient))(x, variables), wanted)
    close(jax.jit(with_fast_convolutions(each))(x, variables), wanted[0])


def test_a_network_of_few_channels_is_left_without_a_convolution():
    """Not even in its gradient, whose kernel is turned and whose images have zeros between their values."""
    layer = nn.Conv(4, (3, 3), strides=2)
    x = jax.random.normal(KEY, (8, 9, 9, 1))
    variables = layer.init(KEY, x)
    gradient = jax.grad(lambda x: jnp.tanh(layer.apply(variables, x)).sum())
    assert (primitives(gradient, x), primitives(with_fast_convolutions(gradient), x)) == (2, 0)
    np.testing.assert_allclose(with_fast_convolutions(gradient)(x), gradient(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("space", [(12,), (5, 6, 7)], ids=["a line", "a volume"])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 8), (16, 1), (16, 8)], ids=str)
def test_space_may_have_one_axis_or_three(space, inputs, outputs):
    layer = nn.Conv(outputs, (3,) * len(space))
    x = jax.random.normal(KEY, (8, *space, inputs))
    variables = layer.init(KEY, x)
    plain = lambda x: layer.apply(variables, x)
    np.testing.assert_allclose(with_fast_convolutions(plain)(x), plain(x), rtol=1e-4, atol=1e-5)


PLAIN = {
    "many channels": (8, 20, 20, {}),
    "a single place": (8, 4, 4, {"kernel_size": (1, 1)}),
    "few images": (2, 1, 8, {}),
    "few bits": (8, 1, 8, {"dtype": jnp.bfloat16}),
    "groups": (8, 4, 4, {"feature_group_count": 2}),
    "strides": (8, 8, 8, {"strides": 2}),
    "nothing left": (8, 1, 8, {"kernel_size": (10, 3), "padding": "VALID"}),
}


@pytest.mark.parametrize("name", PLAIN)
def test_other_convolutions_stay(name):
    count, inputs, outputs, options = PLAIN[name]
    layer = nn.Conv(**{"features": outputs, "kernel_size": (3, 3), **options})
    x = jax.random.normal(KEY, (count, 9, 8, inputs))
    variables = layer.init(KEY, x)
    plain = lambda x: layer.apply(variables, x)
    assert primitives(with_fast_convolutions(plain), x) == 1
    np.testing.assert_array_equal(with_fast_convolutions(plain)(x), plain(x))
