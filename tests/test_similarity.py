"""All layers of one network with all layers of another: streamed CKA, the other measures, null and ceiling."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from cnnviz import networks
from cnnviz.comparison.measures import MEASURES
from cnnviz.comparison.minibatches import alignments, minibatch_size
from cnnviz.comparison.similarity import reader, similarities, similarity
from cnnviz.errors import InputError
from cnnviz.probe import activations


class Net(nn.Module):
    """Three layers, one of which can be constant."""

    dead: bool = False

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        x = nn.relu(nn.Dense(6, name="dense")(x.reshape(len(x), -1)) - 1e6 * self.dead)
        return nn.Dense(3, name="logits")(x)


def net(seed, dead=False, name="net"):
    model = Net(dead)
    variables = model.init(jax.random.key(seed), np.zeros((1, 6, 6, 1), np.float32))
    return networks.open(model, variables, image_shape=(6, 6, 1), name=name)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (70, 6, 6, 1), np.uint8)


def layers_of(its, pictures):
    found = activations(its.model, its.variables, its.prepare(pictures))
    return {name: np.asarray(found[name]).reshape(len(pictures), -1) for name in reader(its).layers}


def test_one_minibatch_of_all_images_is_the_measure_of_all_pairs(pictures):
    a, b = net(0), net(1)
    for name in ("linear_cka", "debiased_cka"):
        found = similarity(a, b, pictures, name, batch_size=70)
        mine, its = layers_of(a, pictures), layers_of(b, pictures)
        expected = [[MEASURES[name](x, y) for y in its.values()] for x in mine.values()]
        np.testing.assert_allclose(found.values, expected, atol=2e-5)
        assert found.rows == tuple(mine)
        assert "at once" in found.how


def test_minibatches_average_hsic_with_padding_left_out(pictures):
    a, b = net(0), net(1)
    got = similarity(a, b, pictures, "debiased_cka", batch_size=24)  # 24, 24 and 22
    mine, its = layers_of(a, pictures)["conv"], layers_of(b, pictures)["logits"]

    def products(x, y):
        sums = 0
        for part in (slice(0, 24), slice(24, 48), slice(48, 70)):
            k, l = (u(each[part].astype(np.float64)) for each in (x, y))
            sums += np.sum(k * l) / (len(k) - 3)
        return sums

    def u(x):
        from cnnviz.comparison.measures.hsic import u_centered

        return u_centered(x @ x.T)

    expected = products(mine, its) / np.sqrt(products(mine, mine) * products(its, its))
    at = got.rows.index("conv"), got.columns.index("logits")
    assert abs(got.values[at] - expected) < 2e-5
    assert abs(expected - similarity(a, b, pictures, "debiased_cka", batch_size=70).values[at]) > 1e-4


@pytest.mark.parametrize("name", [name for name in MEASURES if "cka" not in name or name == "rbf_cka"])
def test_other_measures_are_those_of_the_arrays(name, pictures):
    a, b = net(0), net(1)
    found = similarity(a, b, pictures, name)
    mine, its = (layers_of(each, pictures) for each in (a, b))
    as_maps = mine["conv"].reshape(70, -1, 4).mean(1), its["conv"].reshape(70, -1, 4).mean(1)
    assert abs(found.values[found.rows.index("conv"), found.columns.index("conv")] - MEASURES[name](*as_maps)) < 5e-3
    last = found.rows.index("logits"), found.columns.index("dense")
    assert abs(found.values[last] - MEASURES[name](mine["logits"], its["dense"])) < 1e-4
    assert found.null.mean() < found.values.mean()


def test_the_null_is_near_zero_and_the_ceiling_is_a_with_its_other_seed(pictures):
    a, b, other = net(0), net(1), net(2)
    found = similarities(a, b, pictures, ("debiased_cka", "procrustes"), seed=other)
    assert np.abs(found["debiased_cka"].null).max() < 0.35
    for name, its in found.items():
        np.testing.assert_allclose(np.asarray(its.ceiling), similarity(a, other, pictures, name).values, atol=1e-5)


def test_the_same_network_is_one_and_that_is_said(pictures):
    for name, found in similarities(net(0), net(0), pictures, tuple(MEASURES)).items():
        assert found.same
        np.testing.assert_allclose(np.diagonal(found.values), 1, rtol=0, atol=1e-6, err_msg=name)


def test_constant_layers_are_named_and_left_out(pictures):
    for name, found in similarities(net(0), net(1, dead=True), pictures, ("linear_cka", "rsa")).items():
        assert {("b", "logits")} < set(found.left_out), name
        assert "logits" in found.rows
        assert found.columns == found.rows[:-2]
        assert np.isfinite(found.values).all()


def test_layers_with_as_many_directions_as_images_are_left_out_of_canonical_correlations(pictures):
    found = similarity(net(0), net(1), pictures[:20], "pwcca", values="flat")
    assert "conv" not in found.rows
    assert "Left out: conv" in found.how
    with pytest.raises(InputError, match="more images than a layer has features"):
        similarity(net(0), net(1), pictures[:4], "pwcca")


def test_too_few_images_are_refused(pictures):
    with pytest.raises(InputError, match="at least 4 images; there are 3"):
        similarity(net(0), net(1), pictures[:3])
    with pytest.raises(InputError, match="at least 12 images"):
        similarity(net(0), net(1), pictures[:8], "mutual_knn")
    with pytest.raises(InputError, match="did you mean 'linear_cka'"):
        similarity(net(0), net(1), pictures, "linear_ckaa")
    with pytest.raises(InputError, match="at least 4 images"):
        similarity(net(0), net(1), pictures, batch_size=2)


def test_minibatches_are_about_equal():
    assert minibatch_size(10_000, 128) == 127
    assert minibatch_size(100, 128) == 100
    assert minibatch_size(130, 128) == 65


def test_order_of_layers_is_that_of_execution_for_networks_of_any_name(pictures):
    readers = {"z": reader(net(0)), "b": reader(net(1))}
    found = alignments(readers, pictures, batch_size=70)
    assert [layer for name, layer in found.names if name == "z"] == list(reader(net(0)).layers)
    mine, its = layers_of(net(0), pictures), layers_of(net(1), pictures)
    expected = [[MEASURES["linear_cka"](x, y) for y in its.values()] for x in mine.values()]
    np.testing.assert_allclose(found.of("linear_cka", "z", "b"), expected, atol=2e-5)
