"""Weights of networks compared: in numbers, unit by unit, and along the line between them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from cnnviz import networks, probe
from cnnviz.comparison import weights
from cnnviz.comparison.connectivity import Places
from cnnviz.comparison.correlations import _correlation, _mean, correlations
from cnnviz.comparison.matching import match_units
from cnnviz.comparison.path import recomputed
from cnnviz.comparison.permute import permute, random_permutations
from cnnviz.comparison.plane import direction, plane
from cnnviz.comparison.ties import ties
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.probe import Reader

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 1)
IMAGES = RNG.integers(0, 256, (64, *SHAPE)).astype(np.uint8)
LABELS = RNG.integers(0, 3, 64)


class Net(nn.Module):
    """A convolution with BatchNorm and a dense layer."""

    @nn.compact
    def __call__(self, x, *, train=False):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.7)(nn.Conv(6, (3, 3))(x))
        return nn.Dense(3)(nn.relu(x).mean((1, 2)))


def prepare(images):
    return jnp.asarray(images, jnp.float32) / 255


def places(model, variables):
    net = networks.Net("a", model, [variables], [], SHAPE, prepare=networks.Prepare())
    return Places(net, IMAGES, LABELS, ("u", "v", "w"))


def drawn(model, seed):
    return jax.tree.map(np.asarray, probe.initial_variables(model, jax.random.key(seed), jnp.zeros((1, *SHAPE))))


def test_statistics_are_numpys_and_a_rank_is_that_of_equal_singular_values():
    begun, added = RNG.normal(size=(3, 3, 2, 5)), 0.1 * RNG.normal(size=(3, 3, 2, 5))
    found = weights.statistics(begun + added, begun)
    assert found["drift"] == pytest.approx(np.linalg.norm(added))
    assert found["relative drift"] == pytest.approx(np.linalg.norm(added) / np.linalg.norm(begun))
    assert found["mean"] == pytest.approx((begun + added).mean())
    assert weights.effective_rank(weights.spectrum(np.eye(6)[:, :4])) == pytest.approx(4)
    assert weights.stable_rank(weights.spectrum(np.outer(np.arange(4), np.ones(3)))) == pytest.approx(1)
    assert np.isnan(weights.effective_rank(weights.spectrum(np.zeros((4, 3)))))


def test_the_same_weights_twice_are_exactly_one_and_zero():
    same = RNG.normal(size=(3, 3, 2, 5)).astype(np.float32)
    assert weights.cosine(same, same) == 1
    assert weights.statistics(same, same)["drift"] == weights.statistics(same, same)["relative drift"] == 0
    assert weights.two_samples(same, same) == {
        "ks": 0, "p": 1, "cohens d": 0, "deviation ratio": 1, "wasserstein": 0,
    }  # fmt: skip
    assert weights.two_samples(np.zeros(3), np.zeros(4))["ks"] == 0


def test_two_samples_are_scipys_test_with_an_effect_size():
    one, other = RNG.normal(size=200), RNG.normal(0.5, 2, size=300)
    found = weights.two_samples(one, np.append(other, np.nan))
    statistic, p_value = tuple(stats.ks_2samp(one, other))
    assert (found["ks"], found["p"]) == (statistic, p_value)
    assert found["deviation ratio"] == pytest.approx(other.std() / one.std())
    assert np.isnan(weights.two_samples(one, np.array([np.nan]))["ks"])


def test_layers_are_paired_by_name_and_else_by_shape():
    a = {"x": np.zeros((3, 2)), "y": np.zeros((4, 2)), "only": np.zeros(9)}
    b = {"x": np.zeros((4, 2)), "z": np.zeros((3, 2)), "other": np.zeros(7)}
    assert weights.same_shapes(a, b) == ([("x", "z"), ("y", "x")], ["only"], ["other"])


def test_units_are_matched_by_their_activations():
    model = CNN(classes=3, width=4, hidden=9)
    variables = drawn(model, 0)
    tied = ties(model, variables, SHAPE)
    planted = random_permutations(tied, np.random.default_rng(1))
    other = permute(variables, tied, planted)
    one, two = (Reader(model, each, prepare=prepare) for each in (other, variables))
    found = correlations(one, two, tied, IMAGES, shifts=2, batch_size=24)
    maps = probe.activations(model, variables, prepare(IMAGES), ["conv1", "pool1"]).values()
    expected = np.mean([np.corrcoef(np.asarray(each, np.float64).reshape(-1, 4).T) for each in maps], 0)
    both = Reader(model, variables, prepare=prepare)
    assert np.allclose(correlations(both, both, tied, IMAGES, batch_size=24)["conv1"][0], expected, atol=1e-5)
    similarity = {name: each[0] for name, each in found.items()}
    for by_weights in (False, True):
        order = match_units(tied, other, variables, activations=similarity, weights=by_weights)
        assert all(np.array_equal(order[name].order, each.order) for name, each in planted.items())
    conv1 = similarity["conv1"][np.arange(4), planted["conv1"].order]
    null = found["conv1"][1][np.arange(4), planted["conv1"].order]
    assert np.allclose(conv1, 1, atol=1e-5)
    assert null.max() < 0.9


def test_a_unit_that_is_dead_after_its_nonlinearity_is_like_itself_and_unlike_a_living_one():
    x = np.random.default_rng(0).normal(size=(50, 2))
    of = lambda a, b: jax.tree.map(jnp.asarray, {"xx": (a**2).sum(0), "yy": (b**2).sum(0), "xy": a.T @ b})
    dead = x * [1, 0]
    each = [_correlation(of(x, x)), _correlation(of(dead, dead))]
    assert np.diagonal(_mean(each)) == pytest.approx([1, 1])
    each = [_correlation(of(x, x)), _correlation(of(dead, x))]
    assert np.diagonal(_mean(each)) == pytest.approx([1, 0.5])
    assert _mean([_correlation(of(dead, dead))])[1, 1] == 0


def test_the_line_between_a_network_and_itself_permuted_is_flat_after_alignment_and_not_before():
    model = Net()
    variables = drawn(model, 0)
    tied = ties(model, variables, SHAPE)
    other = permute(variables, tied, random_permutations(tied, np.random.default_rng(1)))
    place = places(model, variables)
    before = place.along(other, 5).loss.mean(1)
    assert before[0] == pytest.approx(before[-1], abs=1e-5)
    assert np.ptp(before) > 1e-3
    aligned = permute(other, tied, match_units(tied, variables, other))
    after = place.along(aligned, 5)
    assert np.ptp(after.loss.mean(1)) < 1e-6
    assert after.barrier(resamples=100).value < 1e-6
    logits = np.asarray(probe.logits(model, variables, prepare(IMAGES)), np.float64)
    nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(64), LABELS]
    assert after.loss[0] == pytest.approx(nats, abs=1e-5)
    with pytest.raises(InputError, match="at least 2 places"):
        place.along(other, 1)


def test_recomputed_statistics_are_those_of_the_images():
    model = Net()
    variables = drawn(model, 0)
    found = recomputed(model, variables, IMAGES, prepare)["batch_stats"]["BatchNorm_0"]
    maps = np.asarray(probe.activations(model, variables, prepare(IMAGES), "Conv_0")["Conv_0"]).reshape(-1, 6)
    assert np.allclose(found["mean"], maps.mean(0), atol=1e-5)
    assert np.allclose(found["var"], maps.var(0), atol=1e-5)
    plain = drawn(CNN(classes=3, width=4), 0)
    assert recomputed(CNN(classes=3, width=4), plain, IMAGES, prepare) is plain


def test_directions_have_each_filters_length_and_the_center_of_a_plane_is_the_network():
    model = Net()
    variables = drawn(model, 0)
    along = direction(variables, 3)["params"]
    lengths = [np.sqrt((np.asarray(p["Conv_0"]["kernel"]) ** 2).sum((0, 1, 2))) for p in (along, variables["params"])]
    assert np.allclose(*lengths, rtol=1e-5)
    assert not np.any(along["BatchNorm_0"]["scale"])
    around = plane(variables, variables, variables)
    loss = places(model, variables).of(around.grid(np.array([-1.0, 0, 1]), np.zeros(1)), 3).loss.mean(1)
    logits = np.asarray(probe.logits(model, variables, prepare(IMAGES)), np.float64)
    nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(64), LABELS]
    assert loss[1] == pytest.approx(nats.mean(), abs=1e-5)
    assert around.third is None
    assert np.array_equal(around.at(0.0, 1.0)["params"]["Conv_0"]["bias"], variables["params"]["Conv_0"]["bias"])
