"""The layers that imported models are made of: order, names, first draws, training, the logits before a softmax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.errors import InputError
from cnnviz.interop.linen.activations import ACTIVATIONS, Function, relu
from cnnviz.interop.linen.dense import Activation, Dense, Softmax
from cnnviz.interop.linen.graph import chain
from cnnviz.interop.linen.kinds import KINDS
from cnnviz.interop.linen.normalization import BatchNormalization
from cnnviz.interop.linen.regularization import Dropout
from cnnviz.interop.linen.reshaping import Flatten

KEY = jax.random.key(0)
Conv2D, DepthwiseConv2D = KINDS["Conv2D"], KINDS["DepthwiseConv2D"]
MaxPooling2D, AveragePooling2D = KINDS["MaxPooling2D"], KINDS["AveragePooling2D"]


def network(*end):
    """Names in no alphabetical order, some of them Flax's own, and identities in between."""
    start = (
        ("zebra", Conv2D(4, (3, 3), padding="same", activation=Function("relu"))),
        ("scope", BatchNormalization()),
        ("monkey", MaxPooling2D()),
        ("layers", Flatten()),
        ("dropout", Dropout(0.5)),
        ("ape", Activation(Function("linear"))),
    )
    return chain((*start, *end), (8, 8, 3))


DENSE = ("dense", Dense(5))
ENDS = {
    "in the dense layer": [("dense", Dense(5, activation=Function("softmax")))],
    "a layer of its own": [DENSE, ("end", Softmax())],
    "an activation": [DENSE, ("end", Activation(Function("softmax")))],
    "a sigmoid": [("dense", Dense(5, activation=Function("sigmoid")))],
    "a log-softmax": [DENSE, ("end", Activation(Function("log_softmax")))],
    "before an identity": [DENSE, ("end", Softmax()), ("after", Dropout(0.5))],
    "none": [DENSE],
}


@pytest.fixture(scope="module")
def variables(images):
    return jax.jit(network(DENSE).init)(KEY, images)


def test_equal_descriptions_are_one_static_argument():
    traced = []
    function = jax.jit(lambda model, x: traced.append(model) or x, static_argnums=0)
    function(network(DENSE), 1.0)
    function(network(DENSE), 1.0)
    function(network(), 1.0)
    assert len(traced) == 2


def test_layers_come_in_the_order_of_the_description(variables):
    layers = probe.layers(network(DENSE), variables, (8, 8, 3))
    names = ["zebra", "scope", "monkey", "layers", "dropout", "ape", "dense"]
    kinds = ["Conv2D", "BatchNormalization", "MaxPooling2D", "Flatten", "Dropout", "Activation", "Dense"]
    assert [(layer.name, layer.kind) for layer in layers] == list(zip(names, kinds, strict=True))
    assert [layer.shape for layer in layers] == [(8, 8, 4), (8, 8, 4), (4, 4, 4), (64,), (64,), (64,), (5,)]
    assert sum(layer.parameters for layer in layers) == 3 * 3 * 3 * 4 + 4 + 2 * 4 + 64 * 5 + 5


def test_a_layer_has_its_activation_applied(variables, images):
    found = probe.activations(network(DENSE), variables, images, ["zebra", "layers", "dropout"])
    assert found["zebra"].min() == 0
    np.testing.assert_array_equal(found["dropout"], found["layers"])


@pytest.mark.parametrize("end", ENDS)
def test_scores_are_of_the_logits_before_any_softmax_or_sigmoid(end, variables, images):
    expected = network(DENSE).apply(variables, images)
    model = network(*ENDS[end])
    np.testing.assert_allclose(probe.logits(model, variables, images), expected, atol=1e-6)
    score, _ = probe.score_of(model, variables, 2)(images[0], {})
    np.testing.assert_allclose(score, expected[0, 2], atol=1e-6)
    if "softmax" in repr(model).lower() and "log" not in end:
        np.testing.assert_allclose(model.apply(variables, images).sum(-1), 1, rtol=1e-6)


def test_kernels_start_glorot_uniform_as_keras_counts_it(images):
    layers = {
        "conv": (Conv2D(40, (3, 3)), 9 * 3, 9 * 40),
        "depthwise": (DepthwiseConv2D((3, 3), depth_multiplier=20), 9 * 3, 9 * 20),
        "dense": (Dense(400), 3, 400),
    }
    for layer, ins, outs in layers.values():
        params = layer.init(KEY, images)["params"]
        limit = np.sqrt(6 / (ins + outs))
        assert 0.95 * limit < np.abs(params["kernel"]).max() <= limit
        np.testing.assert_allclose(np.std(params["kernel"]), limit / np.sqrt(3), rtol=0.1)
        assert not params["bias"].any()


def test_training_drops_values_and_moves_the_statistics(variables, images):
    model = network(DENSE)
    train = lambda key: model.apply(variables, images, train=True, rngs={"dropout": key}, mutable=["batch_stats"])
    one, state = train(jax.random.key(1))
    other, _ = train(jax.random.key(2))
    assert not np.allclose(one, other)
    x = probe.activations(model, variables, images, "zebra")["zebra"]
    np.testing.assert_allclose(state["batch_stats"]["scope"]["mean"], 0.01 * x.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(state["batch_stats"]["scope"]["var"], 0.99 + 0.01 * x.var((0, 1, 2)), rtol=1e-4)


def test_dropout_keeps_the_mean():
    x = jnp.ones((100, 100))
    dropped = Dropout(0.25).apply({}, x, True, rngs={"dropout": KEY})
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    np.testing.assert_allclose(dropped.mean(), 1, atol=0.02)
    assert Dropout(0.25).apply({}, x) is x


def test_a_normalized_batch_has_mean_zero_and_deviation_one(images):
    y, _ = BatchNormalization(epsilon=0.0).init_with_output(KEY, images, True)
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std((0, 1, 2)), 1, rtol=1e-5)


def test_what_same_pads_is_not_counted_in_a_mean():
    ones = jnp.ones((1, 3, 3, 1))
    np.testing.assert_array_equal(AveragePooling2D((2, 2), (2, 2), "same").apply({}, ones), jnp.ones((1, 2, 2, 1)))


def test_the_options_of_relu():
    x = jnp.array([-2.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    np.testing.assert_allclose(relu(x), [0, 0, 0, 0.5, 1, 3])
    np.testing.assert_allclose(relu(x, max_value=1.0), [0, 0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(relu(x, threshold=0.5), [0, 0, 0, 0, 1, 3])
    np.testing.assert_allclose(relu(x, 0.1, 2.0, 1.0), [-0.3, -0.15, -0.1, -0.05, 0, 2], rtol=1e-6)


def test_every_activation_keeps_shape_and_type(images):
    for name in ACTIVATIONS.keys() - {"glu"}:  # which gives half of the channels
        found = Activation(Function(name)).apply({}, images)
        assert (found.shape, found.dtype) == (images.shape, jnp.float32), name


def test_no_axis_is_broadcast_in_silence(variables, images):
    with jax.numpy_rank_promotion("raise"):
        network(DENSE).apply(variables, images)


def test_groups_that_do_not_divide_are_refused(images):
    with pytest.raises(InputError, match="2 groups do not divide 3 inputs and 4 filters."):
        Conv2D(4, (3, 3), groups=2).init(KEY, images)


def test_an_axis_that_a_value_does_not_have_is_refused(images):
    with pytest.raises(InputError, match="there is no axis 4 among 4."):
        BatchNormalization(axis=4).init(KEY, images)


def test_training_a_layer_that_draws_at_random_is_refused(images):
    assert KINDS["RandomFlip"]().apply({}, images) is images
    assert KINDS["Identity"](False).apply({}, images, True) is images
    with pytest.raises(InputError, match="draws at random in training; it is imported for evaluation."):
        KINDS["RandomFlip"]().apply({}, images, True)
