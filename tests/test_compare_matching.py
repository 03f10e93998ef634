"""Units of two networks matched, and the line between them: in numbers, in pictures, and what cannot be matched."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from test_compare import jittered
from test_pictures import make_dataset, make_run

from cnnviz import probe
from cnnviz.comparison.alignment import align, why_not
from cnnviz.comparison.calibration_error import corrected, difference
from cnnviz.comparison.connectivity import Places
from cnnviz.comparison.path import between
from cnnviz.comparison.permute import permute, random_permutations
from cnnviz.comparison.plane import plane
from cnnviz.comparison.ties import ties
from cnnviz.errors import InputError
from cnnviz.figures.fonts import FONT
from cnnviz.figures.texts import cut_off, make_drawable, overlapping
from cnnviz.models.cnn import CNN
from cnnviz.models.dense import DenseNetwork
from cnnviz.models.resnet import ResNet
from cnnviz.pictures.compared.matching import Matching
from cnnviz.pictures.compared.path import Path
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import Data, Skipped

SHAPE = (8, 8, 1)
FAST: dict[str, Any] = {"resamples": 100, "places": 3, "line_images": 40, "matching_images": 20}
FAST_MATCHING = {"matching_images": 20}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def a():
    return replace(make_run(CNN(width=4, hidden=9), SHAPE), name="a")


@pytest.fixture(scope="module")
def shuffled(a):
    """The same function with its units in another order."""
    tied = ties(a.model, a.variables, SHAPE)
    order = random_permutations(tied, np.random.default_rng(1))
    return replace(a, name="shuffled", members=[permute(a.variables, tied, order)])


@pytest.fixture(scope="module")
def other(a):
    return replace(a, name="other", members=[a.untrained])


@pytest.fixture(scope="module")
def data():
    dataset = make_dataset(SHAPE)
    return Data(lambda: dataset)


def drawn(kind, nets, data) -> dict[str, Any]:
    return {picture.name: picture for picture in kind(nets, data)}


def equal(one, two):
    return all(np.array_equal(*pair) for pair in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True))


def test_a_shuffled_network_is_found_and_units_of_another_are_no_more_alike_than_by_chance(a, shuffled, other, data):
    images = data.dataset.test.images[:20]
    for by in ("weights", "activations", "both"):
        found = align(a, shuffled, images, by=by)
        assert equal(found.variables, a.variables)
        assert all(each.units == pytest.approx(1) and each.share == 1 for each in found.by_weights.values())
        # a unit whose ReLU is always 0 correlates before it alone, which is half of what is averaged
        assert all((np.abs(each.units - 0.75) < 0.2501).all() for each in found.by_activations.values())
        assert found.moved > 0
    apart = align(a, other, images)
    assert np.mean([each.share for each in apart.by_weights.values()]) < 0.35
    assert apart.by_weights["dense1"].null.mean() > 0.1  # since the best match of noise is not zero
    with pytest.raises(InputError, match="'wieghts' is not a way to match units"):
        align(a, other, by="wieghts")
    with pytest.raises(InputError, match="none were given"):
        align(a, other, by="activations")


def test_matched_kernels_and_units_are_drawn_with_chance_and_with_seeds(a, shuffled, data):
    seeds = jittered(a, "three seeds", 3)
    found = drawn(Matching(matching_images=20), [a, shuffled, seeds], data)
    assert list(found) == ["matched_kernels", "matched_kernels_c", "matching"]
    assert [record["cosine"] for record in found["matched_kernels"].numbers] == pytest.approx([1.0] * 4)
    order = [record["kernel of B"] for record in found["matched_kernels"].numbers]
    assert sorted(order) == [0, 1, 2, 3]
    kernels = [net.variables["params"]["conv1"]["kernel"] for net in (a, shuffled)]
    for record in found["matched_kernels"].numbers:
        assert np.array_equal(kernels[0][..., record["kernel of A"]], kernels[1][..., record["kernel of B"]])
    rows = found["matching"].table
    assert [row["networks"] for row in rows[::3]] == ["a, shuffled", "a, three seeds", "seeds of three seeds"]
    assert "a, shuffled: 21 of 21 pairs are above 95% of chance by weights. All pairs are equal." in (
        found["matching"].caption
    )
    assert all(row["correlation of activations"] == pytest.approx(1, abs=1e-3) for row in rows[:2])


def test_the_first_kernels_are_in_the_order_of_their_own_layer_though_blocks_have_layers_of_that_name():
    shape = (8, 8, 3)
    one = replace(make_run(ResNet(channels=4), shape), name="one")
    assert "conv1" in one.variables["params"]["stage1_block1"]  # the name of the first layer
    tied = ties(one.model, one.variables, shape)
    order = random_permutations(tied, np.random.default_rng(3))
    two = replace(one, name="two", members=[permute(one.variables, tied, order)])
    found = drawn(Matching(), [one, two], Data())["matched_kernels"]
    assert [record["cosine"] for record in found.numbers] == pytest.approx([1.0] * 4)
    assert [record["kernel of B"] for record in found.numbers] != [record["kernel of A"] for record in found.numbers]


@pytest.fixture(scope="module")
def every(a, other, data):
    long = replace(other, name="a network with quite a long name")
    wide = make_run(CNN(width=18, hidden=9), (8, 8, 3))
    colour = [replace(wide, name="colour"), replace(wide, name="colours", members=[wide.untrained])]
    pictures = [*Matching(matching_images=20)([a, long], data), *Path(**FAST)([a, long], data)]
    return pictures + Matching()(colour, Data())


@pytest.mark.parametrize("page", [Page("column"), Page("slide")])
def test_no_text_is_cut_off(every, page):
    for picture in every:
        figure = picture.figure(page)
        make_drawable(figure, FONT)
        assert cut_off(figure) == [], picture.name
        assert overlapping(figure) == [], picture.name


def test_networks_with_other_layers_are_said_and_their_first_kernels_matched_alone(a, shuffled, data):
    narrow = make_run(CNN(width=4, hidden=5), SHAPE)
    narrow.members[0]["params"]["conv1"] = shuffled.variables["params"]["conv1"]
    narrow = replace(narrow, name="narrow")
    assert "the same shapes have the kernels of conv1, conv2" in why_not(a, narrow)
    found = drawn(Matching(), [a, narrow], data)
    assert list(found) == ["matched_kernels"]
    assert [record["cosine"] for record in found["matched_kernels"].numbers] == pytest.approx([1.0] * 4)
    assert "these kernels were matched by themselves" in found["matched_kernels"].caption
    dense = replace(make_run(DenseNetwork(), SHAPE), name="dense")
    for kind in (Matching(), Path(**FAST)):
        with pytest.raises(Skipped, match="a and dense do not have the same layers"):
            kind([a, dense], data)
        with pytest.raises(Skipped, match="one network of one seed"):
            kind([a], data)


def loss_of(net, variables, images, labels):
    logits = np.asarray(probe.logits(net.model, variables, net.prepare(images)), np.float64)
    return (np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]).mean()


def test_the_barrier_is_that_of_the_line_and_gone_after_matching(a, shuffled, data):
    found = drawn(Path(**FAST, surface=True), [a, shuffled], data)
    before, after = found["path"].table
    part = data.dataset.test
    expected = [
        loss_of(a, between(a.variables, shuffled.variables, share), part.images[:40], part.labels[:40])
        for share in (0.0, 0.5, 1.0)
    ]
    barrier = max(0, expected[1] - (expected[0] + expected[2]) / 2)
    assert before["barrier"].value == pytest.approx(barrier, abs=1e-5)
    assert before["barrier"].low <= before["barrier"].value <= before["barrier"].high
    assert [record["loss"] for record in found["path"].numbers[:3]] == pytest.approx(expected, abs=1e-5)
    losses = np.array([record["loss"] for record in found["path"].numbers]).reshape(2, 3)
    assert np.ptp(losses[0]) > 1e-3
    assert np.ptp(losses[1]) < 1e-6
    assert after["barrier"].value < 1e-6
    assert set(found) == {"path", "path_surface"}
    numbers = found["path_surface"].numbers
    assert numbers["loss"].shape == (13, 13)


def test_a_network_and_itself_have_a_barrier_of_exactly_zero(a, data):
    path = drawn(Path(**FAST, line_seeds=2), [a, replace(a, name="b")], data)["path"]
    assert f"One seed, so no interval of barriers over seeds: {a.name}, b." in path.caption
    rows = path.table
    assert all((row["barrier"].value, row["barrier"].high) == (0, 0) for row in rows)


def test_a_network_and_itself_have_units_that_are_exactly_alike_and_dead_ones_without_a_correlation(a, data):
    params = a.variables["params"]
    params = {**params, "conv1": {**params["conv1"], "bias": np.array([-1e3, 0, 0, 0], np.float32)}}
    dead = replace(a, members=[{**a.variables, "params": params}])
    its = align(dead, dead, data.dataset.test.images)
    assert all((each.units == 1).all() for each in its.by_weights.values())
    known = {name: each.units[np.isfinite(each.units)] for name, each in its.by_activations.items()}
    assert all((units == 1).all() and len(units) for units in known.values())
    found = drawn(Matching(**FAST_MATCHING), [dead, replace(dead, name="b")], data)["matching"]
    still = sum(len(each.units) for each in its.by_activations.values()) - sum(map(len, known.values()))
    assert (f"Without a correlation are {still} pairs" in found.caption) == (still > 0)
    assert all(row["correlation of activations"] == 1 for row in found.table)


def test_of_several_seeds_the_barrier_has_an_interval_over_them(a, data):
    nets = [jittered(a, "x", 2, spread=0.3), jittered(a, "y", 3, spread=0.3)]
    rows = drawn(Path(**FAST, line_seeds=2), nets, data)["path"].table
    assert [row["networks"] for row in rows] == ["x, y", "x, y", "seeds of x", "seeds of x"]
    own = rows[0]["barrier over seeds"]
    assert own.low <= own.value <= own.high
    assert "barrier over seeds" not in rows[2]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"places": 1}, "places must be at least 2; it was 1"),
        ({"line_images": 0}, "line_images must be at least 2"),
        ({"match_by": "magic"}, "'magic' is not a way to match units"),
        ({"level": 1.0}, "between 0 and 1"),
    ],
)
def test_an_invalid_option_is_an_error_of_one_sentence(a, other, data, options, text):
    with pytest.raises(InputError, match=text):
        Path(**FAST | options)([a, other], data)


def test_a_plane_goes_through_all_three_networks(a, other, shuffled):
    found = plane(a.variables, other.variables, shuffled.variables)
    assert found.third is not None
    for place, net in (((0.0, 0.0), a), ((1.0, 0.0), other), (found.third, shuffled)):
        for one, two in zip(
            *(jax.tree.leaves(each["params"]) for each in (found.at(*place), net.variables)), strict=True
        ):
            np.testing.assert_allclose(one, two, atol=1e-5)
    flat = plane(a.variables, other.variables, other.variables)
    assert flat.third is None
    assert not equal(flat.at(0.0, 1.0)["params"], a.variables["params"])


@pytest.mark.slow
def test_intervals_of_a_calibration_error_contain_the_truth_as_often_as_stated_also_near_zero():
    random, truth = np.random.default_rng(0), np.full((1, 15), 0.0005)
    inside, found = [], None
    for _ in range(150):
        gaps = truth + 0.004 * random.normal(size=truth.shape)
        found = corrected(gaps, gaps[..., None] + 0.004 * random.normal(size=(1, 15, 200)), 0.95)
        assert found.low <= found.debiased <= found.high
        inside.append(found.low <= 15 * 0.0005 <= found.high)
    assert np.mean(inside) > 0.88
    assert found is not None
    same = difference(found, found, (np.ones(3), np.ones(3)))
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert corrected(np.zeros((1, 15)), np.zeros((1, 15, 9)), 0.95) == (0, 0, 0, 0)


def test_places_refuses_a_line_of_one_place(a):
    with pytest.raises(InputError, match="at least 2 places"):
        Places(a, np.zeros((2, *SHAPE), np.uint8), np.zeros(2, int)).along(a.variables, 1)
