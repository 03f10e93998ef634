"""The weights of networks in a comparison: layer by layer, between seeds, and by chance."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_compare import jittered
from test_pictures import make_run

from cnnviz import kernels
from cnnviz.comparison import weights
from cnnviz.comparison.estimates import Estimate
from cnnviz.comparison.layers import LayerDifferences, layer_differences, seed_differences, statistics_of
from cnnviz.figures.fonts import FONT
from cnnviz.figures.texts import cut_off, make_drawable, overlapping
from cnnviz.models.cnn import CNN
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures.compared.weights import Weights, _said
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import Data

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def net():
    return make_run(CNN(width=4, hidden=9), (8, 8, 1))


@pytest.fixture(scope="module")
def several(net):
    return replace(jittered(net, "three seeds", 3), path=Path("somewhere"))


def pictures(nets, **options) -> dict[str, Any]:
    return {picture.name: picture for picture in Weights(**options)(nets, Data())}


def test_what_chance_gives_is_the_mean_over_random_orders():
    one, other = RNG.normal(0.3, 1, 40), RNG.normal(-0.2, 2, 40)
    found = weights.chance(one, other)
    orders = [RNG.permutation(other) for _ in range(4000)]
    cosines = np.array([weights.cosine(one, each) for each in orders])
    assert found["cosine"] == pytest.approx(cosines.mean(), abs=0.01)
    assert found["deviation"] == pytest.approx(cosines.std(), rel=0.05)
    squares = [np.sum((one - each) ** 2) for each in orders]
    assert found["distance"] == pytest.approx(np.sqrt(np.mean(squares)), rel=0.01)
    draws = [weights.two_samples(RNG.normal(size=300), RNG.normal(size=500))["ks"] for _ in range(200)]
    assert weights.chance(np.ones(300), np.ones(500))["ks"] == pytest.approx(np.mean(draws), rel=0.06)
    assert np.isnan(weights.chance([1.0, np.nan], [1.0, 2.0])["ks"])


def test_statistics_have_one_value_per_member_and_drift_of_a_run_alone(net, several):
    found = statistics_of(several)
    assert list(found) == ["conv1", "conv2", "dense1", "logits"]
    for layer, its in found.items():
        for i, (trained, begun) in enumerate(zip(several.members, several.beginnings, strict=True)):
            own = weights.statistics(kernels.weights(trained)[layer], kernels.weights(begun)[layer])
            assert {name: values[i] for name, values in its.measures.items()} == pytest.approx(own, rel=1e-6)
        assert its.spectra.shape == (3, its.full_rank)
    assert "drift" not in statistics_of(net)["conv1"].measures  # its beginning was drawn anew
    assert "The start is not known of a run" in pictures([net])["weights"].caption


def test_members_are_compared_in_pairs_and_with_each_other(net, several):
    other = jittered(net, "b", 3)
    found = layer_differences(several, other)
    assert found.are_independent
    for i in range(3):
        a, b = (kernels.weights(each.members[i])["conv2"] for each in (several, other))
        assert found.layers["conv2"]["distance"][i] == pytest.approx(np.linalg.norm(np.float64(a) - b))
        assert found.layers["conv2"]["ks"][i] == weights.two_samples(a, b)["ks"]
    assert not layer_differences(several, net).are_independent  # whose member is in all three pairs
    within = seed_differences(several)
    assert within is not None
    assert len(within.layers["conv1"]["ks"]) == 3
    assert seed_differences(net) is None


def test_networks_and_their_seeds_are_drawn_beside_chance(net, several):
    found = pictures([several, jittered(net, "b", 3), net])
    assert list(found) == ["weights", "spectra", "distributions", "weights_differences"]
    rows = found["weights_differences"].table
    assert {row["networks"] for row in rows} == {
        "three seeds, b",
        "three seeds, a run",
        "seeds of three seeds",
        "seeds of b",
    }
    paired = [row for row in rows if row["networks"] == "three seeds, b"]
    assert all(isinstance(row["cosine"], Estimate) and row["pairs"] == 3 for row in paired)
    assert all(isinstance(row["cosine"], float) for row in rows if row not in paired)
    spread = np.array([row["cosine"] for row in rows if row["networks"] == "seeds of b"])
    assert (spread > 0.8).all()  # whose members differ only a little
    first = found["weights"].table[0]
    assert isinstance(first["standard deviation"], Estimate)
    assert first["weights"] == 36
    assert "of the cosine with 95% of all orders" in found["weights_differences"].caption


def test_the_same_network_twice_has_no_differences_and_it_is_said(net):
    found = pictures([net, replace(net, name="b")])["weights_differences"]
    assert all((row["KS"], row["cosine"], row["distance"]) == (0, 1, 0) for row in found.table)
    assert "All weights of a run, b are equal." in found.caption


def test_networks_without_a_layer_of_the_same_shape_are_not_called_equal():
    assert "All weights" not in _said([LayerDifferences("a", "b", {}, {}, (("x",), ("y",)))], [])


def test_layers_of_other_architectures_are_paired_by_shape_and_what_is_left_is_said(net):
    other = replace(make_run(DenseNetwork(), (8, 8, 1)), name="dense")
    wide = replace(make_run(CNN(width=4, hidden=9, classes=3), (8, 8, 1)), name="three classes")
    caption = pictures([net, wide])["weights_differences"].caption
    assert "Without a layer of the same shape, of a run: logits." in caption
    assert "of three classes: logits." in caption
    assert "weights_differences" not in pictures([net, other])


def test_constant_and_broken_layers_are_drawn_and_leave_others_alone(net):
    import jax

    broken = jax.tree.map(np.array, net.variables)
    broken["params"]["conv1"]["kernel"][0] = np.nan
    broken["params"]["conv2"]["kernel"][:] = 0
    found = pictures([net, replace(net, name="b", members=[broken])])
    for picture in found.values():
        figure = picture.figure(Page("column"))
        make_drawable(figure, FONT)
        assert cut_off(figure) == overlapping(figure) == []
    conv1, conv2, dense1, _ = found["weights_differences"].table
    assert np.isnan(conv2["cosine"])
    assert np.isfinite(conv1["KS"])
    assert dense1["cosine"] == 1


@pytest.fixture(scope="module")
def every(net, several):
    return pictures([several, *(jittered(net, f"a network with quite a long name {i}", 2) for i in range(2))])


@pytest.mark.parametrize("page", [Page("column"), Page("slide"), Page()])
def test_no_text_is_cut_off(every, page):
    for picture in every.values():
        figure = picture.figure(page)
        make_drawable(figure, FONT)
        assert cut_off(figure) == [], picture.name
        assert overlapping(figure) == [], picture.name
