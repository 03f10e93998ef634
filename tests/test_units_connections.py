"""Edges between layers, and linear probes: equal to what NumPy says of the weights and the activations."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe, units
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN

KEY = jax.random.key(0)


class Normed(nn.Module):
    """BatchNorm after a grouped, strided convolution, and pooling before the next."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.relu(nn.Conv(4, (3, 3), name="a")(x))
        x = nn.Conv(6, (3, 3), strides=(2, 2), feature_group_count=2, use_bias=False, name="b")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, name="norm")(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        return nn.Dense(3, name="c")(x.reshape(len(x), -1))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(size=(11, 12, 12, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def normed(images):
    model = Normed()
    variables = model.init(KEY, images)
    variables = jax.tree.map(lambda leaf: leaf + 0.3 * jax.random.normal(KEY, leaf.shape) ** 2, variables)
    variables["params"]["norm"]["scale"] = -variables["params"]["norm"]["scale"]
    return model, variables


def test_flows_and_what_is_there_without_them_are_the_mean_activation(normed, images):
    model, variables = normed
    acts = probe.activations(model, variables, images)
    edges = units.connections(model, variables, images, "norm/relu" if "norm/relu" in acts else "relu_1", 4).feeding[0]
    assert (edges.source, edges.target, edges.kernels.shape) == ("relu_0", "b", (4, 3, 3))
    at_zero = probe.activations(model, _without(variables, "b"), images)["norm"]
    expected = acts["norm"][..., 4].mean() - at_zero[..., 4].mean()
    assert edges.flows.sum() == pytest.approx(float(expected), rel=1e-4)
    assert (edges.flows[:2] == 0).all()  # the other group
    assert (edges.norms[:2] == 0).all()


def _without(variables, name):
    changed = jax.tree.map(jnp.array, variables)
    changed["params"][name]["kernel"] = 0 * changed["params"][name]["kernel"]
    return changed


def test_a_unit_feeds_a_dense_layer_through_pooling_and_flattening(normed, images):
    model, variables = normed
    (edges,) = units.connections(model, variables, images, "relu_1", 4).fed
    kernel = np.asarray(variables["params"]["c"]["kernel"]).reshape(3, 3, 6, 3)
    assert (edges.source, edges.target) == ("max_pool", "c")
    np.testing.assert_allclose(edges.kernels, np.moveaxis(kernel[:, :, 4], -1, 0))
    pooled = np.asarray(probe.activations(model, variables, images, "max_pool")["max_pool"])[..., 4].mean(0)
    np.testing.assert_allclose(edges.flows, np.einsum("hw,hwo->o", pooled, kernel[:, :, 4]), rtol=1e-4)
    assert edges.by_flow[0] == np.abs(edges.flows).argmax()


def test_edges_of_the_default_network_are_its_weights():
    model, pixels = CNN(width=3, hidden=5), np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype(np.float32)
    variables = model.init(KEY, jnp.asarray(pixels))
    found = units.connections(model, variables, pixels, "relu1", 1)
    kernels = {name: np.asarray(variables["params"][name]["kernel"]) for name in ("conv1", "conv2")}
    np.testing.assert_array_equal(found.feeding[0].kernels[0], kernels["conv1"][:, :, 0, 1])
    np.testing.assert_array_equal(found.fed[0].kernels, np.moveaxis(kernels["conv2"][:, :, 1], -1, 0))
    assert found.feeding[0].source == "image"
    assert [row["edge"] for row in found.table(2)] == ["feeds it", "fed by it", "fed by it"]
    with pytest.raises(InputError, match="relu1 has no unit 3; its 3 units go from 0 to 2, nearest is 2"):
        units.connections(model, variables, pixels, "relu1", 3)


def test_a_probe_is_least_squares_with_a_ridge_on_scaled_features():
    model, rng = CNN(width=3, hidden=6), np.random.default_rng(0)
    pixels, labels = rng.uniform(size=(80, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 80)
    variables = model.init(KEY, jnp.asarray(pixels))
    others, truth = rng.uniform(size=(40, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 40)
    (found,) = units.linear_probes(model, variables, pixels, labels, "relu3", held_out=(others, truth), ridge=0.1)
    x, z = (np.asarray(probe.activations(model, variables, each, "relu3")["relu3"], float) for each in (pixels, others))
    keep = x.std(0) > 1e-6
    mean, deviation = x.mean(0), np.where(keep, x.std(0), 1)
    x, z = (x - mean) / deviation, (z - mean) / deviation
    target = np.eye(3)[labels]
    weights = np.linalg.solve(x.T @ x + 0.1 * len(x) * np.eye(6), x.T @ (target - target.mean(0)))
    said = (z @ weights + target.mean(0)).argmax(1)
    assert (found.right, found.count, found.features) == ((said == truth).sum(), 40, 6)
    low, high = found.interval
    assert low < found.accuracy < high


def test_every_layer_has_a_probe_of_at_most_so_many_features(toy):
    pixels, labels = np.asarray(toy[0]), np.asarray(toy[1])
    model = CNN(width=4, hidden=8)
    prepare = lambda images: images.astype(jnp.float32) / 255
    variables = model.init(KEY, prepare(toy[0][:2]))
    found = units.linear_probes(model, variables, pixels, labels, most=50, prepare=prepare)
    assert [each.layer for each in found[:3]] == ["conv1", "relu1", "pool1"]
    assert max(each.features for each in found) <= 50
    assert all(each.count == 40 for each in found)
    assert found[0].accuracy == 1.0
    with pytest.raises(InputError, match="only one"):
        units.linear_probes(model, variables, pixels, 0 * labels, prepare=prepare)
    with pytest.raises(InputError, match="Labels are the class of each image"):
        units.linear_probes(model, variables, pixels[:10], labels, held_out=(pixels, labels), prepare=prepare)
