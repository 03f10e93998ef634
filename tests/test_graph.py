"""The graph computes what the function computes, derivatives included, and only what is asked."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import attribute
from cnnviz.graph import Graph
from cnnviz.graph.receptive_field import receptive_fields, side_axes
from cnnviz.graph.softmax import logits_of
from cnnviz.graph.spans import spans_of

WEIGHTS = jax.random.normal(jax.random.key(1), (3,))  # an array that the functions inside hold on to
squared = jax.custom_jvp(lambda x: x**2 * WEIGHTS)
squared.defjvp(lambda primals, tangents: (squared(*primals), 3 * WEIGHTS * tangents[0]))


def function(x):
    y = jax.checkpoint(lambda z: jax.nn.relu(z) * WEIGHTS)(x)
    return jax.jit(lambda z: jnp.sin(z) * WEIGHTS)(y) + jax.jit(jnp.sin)(x) + squared(x)


def test_evaluating_the_graph_is_calling_the_function():
    x = jnp.array([-1.0, 0.0, 2.0])
    graph, _ = Graph.of(function, x)
    through = lambda x: graph.evaluate([x], graph.outputs)[0]
    np.testing.assert_allclose(through(x), function(x), atol=1e-6)
    np.testing.assert_allclose(jax.jacobian(through)(x), jax.jacobian(function)(x), atol=1e-6)
    assert not {"jit", "pjit", "remat2", "checkpoint"} & {node.name for node in graph.nodes}


def test_a_reshape_in_another_order_is_a_transpose_and_a_reshape():
    x = jnp.arange(24.0).reshape(2, 3, 4)
    reordered = lambda x: jnp.reshape(x, (6, 4), order="F") + jax.lax.reshape(x, (6, 4), (2, 1, 0))
    graph, _ = Graph.of(reordered, x)
    np.testing.assert_array_equal(graph.evaluate([x], graph.outputs)[0], reordered(x))
    assert all(node.params["dimensions"] is None for node in graph.nodes if node.name == "reshape")


def test_only_what_is_needed_is_computed():
    graph, _ = Graph.of(lambda x: (jnp.sin(x), jnp.cos(x)), jnp.zeros(3))
    assert [node.name for node in graph.needed([graph.outputs[1]])] == ["cos"]


def naive_softmax(z):
    odds = jnp.exp(z)
    return odds / odds.sum(-1, keepdims=True)


@pytest.mark.parametrize("ending", [jax.nn.softmax, jax.nn.log_softmax, naive_softmax])
def test_the_logits_before_a_softmax_are_found(ending):
    x = jax.random.normal(jax.random.key(0), (2, 4))
    graph, _ = Graph.of(lambda x: ending(3 * x), x)
    np.testing.assert_allclose(graph.evaluate([x], [logits_of(graph, graph.outputs[0])])[0], 3 * x, atol=1e-6)


def test_what_is_no_softmax_stays():
    graph, _ = Graph.of(lambda x: jnp.exp(x) / x.sum(-1, keepdims=True), jnp.ones((2, 4)))
    assert logits_of(graph, graph.outputs[0]) is graph.outputs[0]


def conv(x, stride=1, dilation=1, size=3):
    options = {"window_strides": (stride, stride), "padding": "SAME", "rhs_dilation": (dilation, dilation)}
    return jax.lax.conv_general_dilated(
        x, jnp.ones((size, size, x.shape[-1], 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"), **options
    )


def space_to_depth(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)


def tokens(x):
    return space_to_depth(conv(x)[:, :32, :32]).reshape(1, -1, 4)


def centred(x):
    return x - x.mean(-1, keepdims=True) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1)


def mixed(x):
    return x + x @ jnp.arange(16.0).reshape(4, 4)


def sorted_channels(x):
    return jnp.take_along_axis(x, jnp.argsort(x, axis=-1), axis=-1)


def codes(x):
    """Each place's entry in a code book, that of the larger of two channels."""
    return jnp.arange(8.0).reshape(2, 4)[jnp.argmax(jnp.concatenate([x, 2 - x], -1), -1)]


def twice(x, method):
    n, h, w, c = x.shape
    return jax.image.resize(x, (n, 2 * h, 2 * w, c), method)


@pytest.mark.parametrize(
    "network",
    [
        lambda x: conv(conv(x, 2)),
        lambda x: conv(x, dilation=3) + x,
        lambda x: conv(jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"), 2),
        lambda x: jnp.concatenate([conv(x, size=5), conv(x)], -1),
        lambda x: conv(jnp.pad(x, ((0, 0), (2, 1), (2, 1), (0, 0)))[:, ::2, ::2]),
        lambda x: jax.nn.relu(conv(x)).reshape(1, -1),
        lambda x: conv(x).mean((1, 2)),
        lambda x: conv(jnp.stack([conv(x), x]).sum(0)),
        lambda x: jnp.split(jnp.tile(conv(x), (1, 1, 1, 2)), 2, -1)[0],
        lambda x: jnp.stack(jnp.unstack(jnp.concatenate([conv(x, size=5), x], -1), axis=-1), 0)[..., None][0],
        lambda x: jax.lax.cummax(conv(x), 3),
        lambda x: jax.lax.top_k(jnp.sort(conv(x), axis=-1), 1)[0],
        lambda x: conv(jnp.tile(conv(x), 2) * conv(x)),
        lambda x: conv(jnp.concatenate([conv(x), x], -1).mean(-1, keepdims=True) - jnp.tile(x, 2)),
        lambda x: conv(space_to_depth(x[:, :32, :32])),
        lambda x: conv(space_to_depth(conv(x)[:, :32, :32])),
        lambda x: conv(twice(x[:, :32, :32], "nearest")),
        lambda x: conv(twice(conv(x)[:, :32, :32], "bilinear")),
        lambda x: conv(jnp.repeat(jnp.repeat(x[:, :32, :32], 2, axis=1), 2, axis=2)),
        lambda x: conv(jax.image.resize(x, (1, 11, 11, 1), "linear", antialias=False)),
        lambda x: jnp.roll(conv(jnp.flip(jnp.tile(conv(x), 2), 3))[:, ::-1], 2, 2),
        lambda x: conv(jax.lax.dynamic_slice(conv(x), (0, 2, 1, 0), (1, 20, 30, 1))),
        lambda x: conv(jax.vmap(lambda image: jax.lax.dynamic_slice(image, (2, 0, 0), (20, 33, 1)))(conv(x))),
        lambda x: jax.lax.pad(conv(x), 0.0, [(0, 0, 0), (1, 1, 1), (1, 0, 0), (0, 0, 0)]),
        lambda x: conv(jnp.tile(conv(x), 2).at[..., 0].add(x[..., 0]).at[:, :2].set(0)),
        lambda x: jnp.abs(jnp.fft.fft(jnp.tile(conv(x), 2))),
        lambda x: sorted_channels(jnp.concatenate([conv(x), x], -1)),
        lambda x: conv(codes(conv(x)).sum(-1, keepdims=True)),
    ],
)
def test_the_receptive_field_is_what_can_change_the_value(network):
    """Far from borders, where a receptive field is as large as it gets."""
    graph, _ = Graph.of(network, jnp.zeros((1, 33, 33, 1)))
    assert receptive_fields(graph, graph.inputs[0], (1, 2))[graph.outputs[0]] == changing(network, graph.outputs[0])


def changing(network, output):
    """An oracle without a graph: each pixel in turn is raised, and the middle value is watched."""
    middle = (slice(None), *(n // 2 for n in output.shape[1:-1] or output.shape[1:]))
    value = jax.jit(lambda x: network(x)[middle].sum())
    dark = jnp.full((1, 33, 33, 1), -1.0)
    changes = np.array(
        [[float(value(dark.at[0, i, j, 0].set(1e3)) - value(dark)) != 0 for j in range(33)] for i in range(33)]
    )
    return tuple(int(np.ptp(np.flatnonzero(changes.any(axis)))) + 1 for axis in (1, 0))


def sorted_rows(image):
    """Each row at the place that its mean has among those of all rows."""
    return image[jnp.argsort(image.mean((1, 2)))]


def crop(image):
    """The rows from the lightest one on."""
    return jax.lax.dynamic_slice(image, (jnp.argmax(image.mean((1, 2))), 0, 0), (3, *image.shape[1:]))


@pytest.mark.parametrize(
    "network",
    [
        lambda x: x[..., ::-1, :],
        jax.vmap(sorted_rows),
        jax.vmap(crop),
        jax.vmap(lambda image: image.at[jnp.argmax(image.mean((1, 2)))].set(image[0])),
        jax.vmap(lambda image: jax.lax.dynamic_update_slice(image, crop(image), (jnp.argmin(image[:, 0, 0]), 0, 0))),
        jax.vmap(lambda image: jnp.zeros(10).at[jnp.argmax(image.mean((1, 2)))].add(image.mean())),
        lambda x: jnp.abs(jnp.fft.rfft2(x, axes=(1, 2))),
    ],
)
def test_each_image_is_its_own_wherever_its_values_are_taken_and_put(network):
    graph, _ = Graph.of(network, jnp.zeros((3, 6, 6, 2)))
    assert side_axes(graph, graph.inputs[0], (0,))[graph.outputs[0]] == (0,)
    (output,) = graph.outputs
    ((first, after),) = spans_of(graph, graph.inputs[0], (0,), [output])[output].ends(output.shape)
    assert [np.unique(row).tolist() for row in first] == [[0], [1], [2]]
    assert np.all(after - first == 1)


@pytest.mark.parametrize(
    ("network", "field"),
    [
        (lambda x: jax.nn.gelu(mixed(centred(tokens(x)))), (4, 4)),
        (lambda x: centred(mixed(jnp.concatenate([jnp.ones((1, 1, 4)), tokens(x)], 1))), (4, 4)),
        (lambda x: centred(jnp.roll(tokens(x), 3, 1)), (4, 4)),
        (lambda x: tokens(x) + tokens(x)[:, ::-1], (33, 33)),
        (lambda x: jnp.concatenate([tokens(x)[:, 1:], tokens(x)[:, :-1]], -1), (6, 33)),
        (lambda x: mixed(tokens(x)) + mixed(tokens(x)).max(1, keepdims=True), (33, 33)),
    ],
)
def test_the_field_of_a_token_is_its_patchs_until_tokens_of_two_places_meet(network, field):
    graph, _ = Graph.of(network, jnp.zeros((1, 33, 33, 1)))
    assert receptive_fields(graph, graph.inputs[0], (1, 2))[graph.outputs[0]] == field
    assert np.all(np.array(field) >= changing(network, graph.outputs[0]))


def test_where_a_resized_value_meets_another_the_field_is_not_the_whole_image():
    network = lambda x: jnp.concatenate([conv(x[:, :32, :32]), twice(conv(x, 2)[:, :16, :16], "bilinear")], -1)
    graph, _ = Graph.of(network, jnp.zeros((1, 33, 33, 1)))
    assert receptive_fields(graph, graph.inputs[0], (1, 2))[graph.outputs[0]] == (6, 6)  # of which each value reads 5


class Thresholded(nn.Module):
    """A network that holds a number: its activation is max(x, threshold)."""

    threshold: Any

    @nn.compact
    def __call__(self, x):
        x = jnp.maximum(nn.Conv(2, (3, 3))(x), self.threshold)
        self.sow("intermediates", "activation", x)
        return nn.Dense(2)(x.mean((1, 2)))


@pytest.mark.parametrize("method", [None, "lrp_epsilon_plus", "integrated_gradients"])
def test_a_network_may_hold_a_number_that_is_traced(images, method):
    variables = Thresholded(0.0).init(jax.random.key(0), images)

    def read(threshold):
        model = Thresholded(threshold)
        if method is None:
            return probe.activations(model, variables, images, "activation")["activation"]
        return attribute(method, model, variables, images, 1)

    number = jnp.float32(0.25)  # of the activation's type, so that it is an input of the maximum as it is
    np.testing.assert_allclose(jax.jit(read)(number), read(number), rtol=1e-5, atol=1e-6)


def test_a_constant_number_is_known_inside_jit_and_a_traced_one_is_not():
    zero, answers = jnp.zeros(()), []

    def function(threshold):
        graph, _ = Graph.of(lambda x: jnp.maximum(jnp.maximum(x, zero), threshold), jnp.ones(3))
        found = [value for node in graph.nodes for value in node.inputs if value.constant is not None]
        answers.extend(value.is_number(lambda number: number == 0) for value in found)
        return threshold

    jax.jit(function)(0.0)
    assert answers == [True, False]


KNOWN = {
    "a flag": lambda x: jax.lax.cond(False, jnp.sin, jnp.cos, x),
    "a number": lambda x: jax.lax.switch(1, [jnp.sin, jnp.cos], x),
    "a number beyond the last": lambda x: jax.lax.switch(7, [jnp.sin, jnp.cos], x),
    "a comparison": lambda x: jax.lax.cond(jnp.array(3) > jnp.array(4), jnp.sin, jnp.cos, x),
    "inside jit": jax.jit(lambda x: jax.lax.cond(jnp.zeros(()) > 2, jnp.sin, jnp.cos, x)),
    "an array held": lambda x: jax.lax.cond(WEIGHTS.sum() > 1e6, jnp.sin, jnp.cos, x),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_branch_that_depends_on_no_input_is_inlined(name):
    x = jnp.array([0.5, -2.0])
    graph, _ = Graph.of(KNOWN[name], x)
    assert "cos" in {node.name for node in graph.nodes}
    assert not {"cond", "sin"} & {node.name for node in graph.nodes}
    np.testing.assert_array_equal(graph.evaluate([x], graph.outputs)[0], jnp.cos(x))


@pytest.mark.parametrize("flag", ["an input", "traced"])
def test_a_branch_that_depends_on_an_input_or_on_what_is_traced_stays(flag):
    names: list[str] = []

    def outer(flag, x):
        graph, _ = Graph.of(lambda x: jax.lax.cond(flag, jnp.sin, jnp.cos, x), x)
        names.extend(node.name for node in graph.nodes)
        return graph.evaluate([x], graph.outputs)[0]

    x = jnp.array([0.5, -2.0])
    if flag == "traced":
        np.testing.assert_allclose(jax.jit(outer)(True, x), jnp.sin(x), rtol=1e-6)
    else:
        graph, _ = Graph.of(lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), x)
        names.extend(node.name for node in graph.nodes)
    assert "cond" in names
