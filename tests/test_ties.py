"""Any network with its units in another order computes the same logits, and the order is found from its weights."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cnnviz import probe
from cnnviz.comparison.matching import match_units
from cnnviz.comparison.permute import Permutation, permute, random_permutations
from cnnviz.comparison.ties import ties
from cnnviz.errors import InputError
from cnnviz.models import MODELS
from cnnviz.registry import resolve

SHAPE = (8, 8, 3)
Norm = lambda **more: nn.BatchNorm(use_running_average=True, **more)


def drawn(model, shape=SHAPE, seed=0):
    """Random variables, biases and statistics included."""
    make = lambda key: probe.initial_variables(model, key, jnp.zeros((1, *shape)))
    paths, structure = jax.tree_util.tree_flatten_with_path(jax.eval_shape(make, jax.random.key(0)))
    rng = np.random.default_rng(seed)

    def leaf(path, like):
        values = rng.normal(size=like.shape) / np.sqrt(np.prod(like.shape[:-1]) if len(like.shape) > 1 else 9)
        return (np.abs(values) + 0.5 if "var" in str(path) else values).astype(like.dtype)

    return jax.tree.unflatten(structure, [leaf(path, like) for path, like in paths])


class Plain(nn.Module):
    """Convolutions with BatchNorm, pooling, a dense layer after flattening."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(Norm()(nn.Conv(6, (3, 3))(x)))
        x = nn.max_pool(nn.relu(nn.Conv(5, (3, 3))(x)), (2, 2), (2, 2))
        return nn.Dense(4)(nn.relu(nn.Dense(7)(x.reshape(len(x), -1))))


class Residual(nn.Module):
    """Blocks whose sums tie the outputs of several convolutions; one projects, one pads with zeros."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(6, (3, 3))(x)
        for _ in range(2):
            y = nn.relu(Norm()(nn.Conv(5, (3, 3))(x)))
            x = nn.relu(x + Norm()(nn.Conv(6, (3, 3))(y)))
        x = nn.relu(nn.Conv(8, (1, 1))(x) + nn.Conv(8, (3, 3))(x))
        padded = jnp.pad(x, [(0, 0), (0, 0), (0, 0), (1, 3)])
        return nn.Dense(4)(jnp.mean(nn.relu(padded + nn.Conv(12, (3, 3))(x)), (1, 2)))


class Concatenated(nn.Module):
    """Branches one after another, twice, and a slice of them."""

    @nn.compact
    def __call__(self, x):
        x = jnp.concatenate([x, nn.relu(nn.Conv(4, (3, 3))(x))], -1)
        y = nn.relu(nn.Conv(6, (1, 1))(x))
        x = jnp.concatenate([nn.relu(nn.Conv(5, (3, 3))(x)), y], -1)
        x = nn.relu(nn.Conv(6, (1, 1))(x)) + y
        return nn.Dense(4)(jnp.concatenate([x[..., :2].mean((1, 2)), x.max((1, 2))], -1))


class Grouped(nn.Module):
    """A grouped, a depthwise convolution, and one with two outputs per channel."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3))(x))
        x = nn.relu(Norm()(nn.Conv(12, (3, 3), feature_group_count=2)(x)))
        x = nn.relu(nn.Conv(6, (1, 1))(x))
        x = nn.relu(Norm()(nn.Conv(6, (3, 3), feature_group_count=6)(x)))
        x = nn.relu(nn.Conv(12, (3, 3), feature_group_count=6)(x))
        return nn.Dense(4)(x.mean((1, 2)))


class Odd(nn.Module):
    """Functions that change their sign with their input: tanh, a mean, nothing at all."""

    @nn.compact
    def __call__(self, x):
        x = jnp.tanh(Norm()(nn.Conv(6, (3, 3))(x)))
        x = nn.avg_pool(nn.Conv(5, (3, 3))(x), (2, 2), (2, 2))
        x = nn.Dense(7)(x.reshape(len(x), -1))
        return nn.Dense(4)(nn.relu(nn.Dense(6)(x)))


class Normalized(nn.Module):
    """Normalizations over groups of channels and over all, a gate, attention over places."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.GroupNorm(num_groups=2)(nn.Conv(8, (3, 3))(x)))
        x = nn.gelu(nn.LayerNorm()(nn.Conv(6, (3, 3))(x)))
        x = x * nn.sigmoid(nn.Dense(6)(nn.relu(nn.Dense(3)(x.mean((1, 2), keepdims=True)))))
        x = nn.Dense(6)(x).reshape(len(x), -1, 6)
        x = nn.LayerNorm()(x + nn.MultiHeadDotProductAttention(2, deterministic=True)(x, x))
        return nn.Dense(4)(x[:, 0] + x.mean(1))


class Scanned(nn.Module):
    """Layers whose kernels are one array, and a layer that is used twice."""

    @nn.compact
    def __call__(self, x):
        x, layer = nn.relu(nn.Dense(6)(x.mean((1, 2)))), nn.Dense(6)
        body = nn.scan(
            lambda dense, x, _: (nn.relu(dense(x)), None),
            variable_axes={"params": 0},
            split_rngs={"params": True},
            length=2,
        )
        x, _ = body(nn.Dense(6), x, None)
        return nn.Dense(4)(jnp.tanh(layer(jnp.tanh(layer(x)))))


class Sides(nn.Module):
    """Signals, one-dimensional, normalized over their places, whose pixels are no units."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(6, (3,), kernel_dilation=2)(x.reshape(len(x), -1, 3)))
        x = x / (1e-3 + jnp.linalg.norm(x, axis=-1, keepdims=True)) + jnp.arange(64.0)[None, :, None]
        return nn.Dense(4)(nn.relu(nn.ConvTranspose(5, (2,), strides=(2,))(x)).max(1))


FOUND = {  # the size of each group, with a sign where its units may change it
    Plain: "6 5 7",
    Residual: "6 5 5 8 4",
    Concatenated: "4 2 4 5",
    Grouped: "4 4 6 6 2 2 2 2 2 2",
    Odd: "±6 ±5 ±7 6",
    Normalized: "4 4 6 3 6 2 ±3 ±3",
    Scanned: "6",
    Sides: "6 5",
}


def sizes(tied):
    return " ".join(f"{'±' * group.odd}{group.size}" for group in tied.groups)


def difference(model, one, other, shape=SHAPE):
    images = np.random.default_rng(3).normal(size=(3, *shape)).astype(np.float32)
    logits = [np.asarray(probe.logits(model, each, images)) for each in (one, other)]
    return np.abs(logits[0] - logits[1]).max() / np.abs(logits[0]).max()


class NnxNet(nnx.Module):
    """A network with its variables."""

    def __init__(self, rngs):
        self.conv, self.norm = nnx.Conv(3, 6, (3, 3), rngs=rngs), nnx.BatchNorm(6, rngs=rngs)
        self.dense, self.logits = nnx.Linear(384, 5, rngs=rngs), nnx.Linear(5, 4, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv(x), use_running_average=True))
        return self.logits(nnx.relu(self.dense(x.reshape(len(x), -1))))


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: kind.__name__)
def test_networks_compute_the_same_with_their_units_in_another_order_and_it_is_found(kind):
    model, variables = kind(), drawn(kind())
    tied = ties(model, variables, SHAPE)
    planted = random_permutations(tied, np.random.default_rng(1), signs=True)
    other = permute(variables, tied, planted)
    assert sizes(tied) == FOUND[kind]
    assert difference(model, variables, other) < 1e-5
    found = match_units(tied, other, variables)
    for name, each in planted.items():
        assert np.array_equal(found[name].order, each.order), name
        assert np.array_equal(found[name].signs, each.signs), name


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_models_of_ours_are_matched_exactly(name):
    model = resolve(MODELS, name, "model")(classes=5)
    shape = (32, 32, 3)
    variables = drawn(model, shape)
    tied = ties(model, variables, shape)
    planted = random_permutations(tied, np.random.default_rng(1))
    other = permute(variables, tied, planted)
    assert difference(model, variables, other, shape) < 1e-5
    found = match_units(tied, other, variables)
    assert all(np.array_equal(found[name].order, each.order) for name, each in planted.items())


def test_an_nnx_network_is_permuted_too():
    model, variables = probe.from_nnx(NnxNet(nnx.Rngs(0)))
    tied = ties(model, variables, SHAPE)
    assert sizes(tied) == "6 5"
    other = permute(variables, tied, random_permutations(tied, np.random.default_rng(0)))
    assert difference(model, variables, other) < 1e-5


def test_a_permutation_moves_what_belongs_to_a_unit_and_nothing_else():
    model, variables = Plain(), drawn(Plain())
    tied = ties(model, variables, SHAPE)
    order = np.array([1, 0, 2, 3, 4])
    params, new = variables["params"], permute(variables, tied, {"Conv_1": Permutation.of(order)})["params"]
    assert np.array_equal(new["Conv_1"]["kernel"], params["Conv_1"]["kernel"][..., order])
    flat = params["Dense_1"]["kernel"].reshape(4, 4, 5, 7)[:, :, order].reshape(80, 7)
    assert np.array_equal(new["Dense_1"]["kernel"], flat)
    assert new["Conv_0"]["kernel"] is params["Conv_0"]["kernel"]


def test_networks_that_are_equal_are_matched_by_the_identity_and_almost_equal_ones_too():
    model, variables = Plain(), drawn(Plain())
    tied = ties(model, variables, SHAPE)
    zeros = jax.tree.map(np.zeros_like, variables)  # in which all units are alike
    for each in (variables, zeros):
        assert all(found.is_identity for found in match_units(tied, each, each).values())
    near = jax.tree.map(lambda leaf: leaf + np.float32(1e-3), variables)
    assert all(found.is_identity for found in match_units(tied, variables, near).values())


def test_a_planted_order_is_found_under_noise():
    model, variables = Residual(), drawn(Residual())
    tied, rng = ties(model, variables, SHAPE), np.random.default_rng(5)
    planted = random_permutations(tied, rng)
    noisy = jax.tree.map(lambda leaf: leaf + 0.1 * leaf.std() * rng.normal(size=leaf.shape), variables)
    found = match_units(tied, permute(variables, tied, planted), noisy)
    share = [np.mean(found[name].order == each.order) for name, each in planted.items()]
    assert np.mean(share) > 0.9


def test_signs_change_only_where_the_network_allows_it():
    model, variables = Odd(), drawn(Odd())
    tied = ties(model, variables, SHAPE)
    flipped = permute(variables, tied, {"Conv_0": Permutation.of(np.arange(6), [-1, 1, 1, -1, 1, 1])})
    assert difference(model, variables, flipped) < 1e-5
    found = match_units(tied, flipped, variables)
    assert found["Conv_0"].signs.tolist() == [-1, 1, 1, -1, 1, 1]
    assert all(each.is_identity for each in match_units(tied, variables, variables, signs=False).values())
    with pytest.raises(InputError, match="Dense_2 are 1"):
        permute(variables, tied, {"Dense_2": Permutation.of(np.arange(6), -np.ones(6))})


@pytest.mark.parametrize("bad", [{"nothing": [0]}, {"Conv_0": [0, 1, 2]}, {"Conv_0": [0, 0, 1, 2, 3, 4]}])
def test_what_is_no_permutation_of_a_group_is_refused(bad):
    variables = drawn(Plain())
    tied = ties(Plain(), variables, SHAPE)
    with pytest.raises(InputError, match="the groups are Conv_0|from 0 to 5"):
        permute(variables, tied, {name: Permutation.of(order) for name, order in bad.items()})


def test_networks_of_other_shapes_are_not_matched_through():
    tied = ties(Plain(), drawn(Plain()), SHAPE)
    with pytest.raises(InputError, match="the same variables"):
        match_units(tied, drawn(Plain()), drawn(Odd()))
