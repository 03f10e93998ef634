"""Networks compared: estimates, tests and rates against oracles, and what is said of networks that differ."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats
from test_pictures import make_dataset, make_run

from cnnviz import comparison
from cnnviz.comparison import Answers
from cnnviz.comparison.classes import matched
from cnnviz.comparison.estimates import Estimate, PValue
from cnnviz.errors import InputError
from cnnviz.models.dense import DenseNetwork

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 4, 300)


def made(name="a", members=1, sharp=2.0, seed=0, labels=LABELS):
    """Answers that are right in more than half of all cases."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(members, len(labels), 4)) + sharp * np.eye(4)[labels]
    p = np.exp(logits)
    return Answers(name, p / p.sum(-1, keepdims=True), labels, tuple(range(members)))


@pytest.mark.parametrize("counts", [(0, 0), (0, 1), (3, 3), (5, 6), (10, 2), (121, 59), (2, 1000)])
def test_mcnemar_is_the_binomial_test_of_the_images_that_tell_two_networks_apart(counts):
    one, other = counts
    total = one + other
    expected = 1.0 if one == other else 2 * stats.binom.cdf(min(counts), total, 0.5)
    assert comparison.mcnemar(one, other) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_mcnemar_and_holm_are_those_of_statsmodels(seed):
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    random = np.random.default_rng(seed)
    tables = random.integers(0, 60, (20, 2, 2))
    ours = [comparison.mcnemar(int(t[0, 1]), int(t[1, 0])) for t in tables]
    theirs = [contingency.mcnemar(t, exact=True).pvalue for t in tables]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    p = random.uniform(0, 0.2, 9)
    np.testing.assert_allclose(comparison.holm(p), multitest.multipletests(p, method="holm")[1], rtol=0, atol=1e-9)


def test_holm_is_the_step_down_by_its_definition():
    p = [0.01, 0.04, 0.03, 0.005, float("nan")]
    assert comparison.holm(p)[:4] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert np.isnan(comparison.holm(p)[4])
    assert comparison.holm([0.6, 0.7]) == [1.0, 1.0]
    given = np.array([0.2, 0.01])
    assert comparison.holm(given) == [0.2, 0.02]
    assert given.tolist() == [0.2, 0.01]  # which stays as it is
    assert comparison.holm([]) == []


def test_a_bootstrap_interval_is_scipys():
    values = RANDOM.normal(size=(3, 80))
    found = comparison.over_images(values, resamples=500, level=0.9, seed=3)
    for row, estimate in zip(values, found, strict=True):
        theirs = stats.bootstrap(
            (row,), np.mean, n_resamples=500, method="percentile", confidence_level=0.9, rng=np.random.default_rng(3)
        ).confidence_interval
        assert (estimate.low, estimate.high) == pytest.approx((theirs.low, theirs.high))
        assert estimate.value == pytest.approx(row.mean())


def welch(one, other) -> Any:
    return stats.ttest_ind(one, other, equal_var=False)


def test_an_interval_over_seeds_is_students_and_that_of_a_difference_welchs():
    one, other = RANDOM.normal(size=5), RANDOM.normal(size=3)
    mean, half = one.mean(), stats.t.ppf(0.975, 4) * one.std(ddof=1) / np.sqrt(5)
    found = comparison.over_seeds(one)
    assert (found.value, found.low, found.high) == pytest.approx((mean, mean - half, mean + half))
    found, p = comparison.difference_over_seeds(one, other)
    assert p == pytest.approx(welch(one, other).pvalue)
    assert found.low < found.value < found.high
    alone = comparison.over_seeds(one[:1])
    assert alone.value == one[0]
    assert np.isnan([alone.low, alone.high]).all()
    assert comparison.difference_over_seeds(one, one)[0].value == 0


def test_measures_are_those_of_their_definitions():
    a, b = made("a", 2, seed=1), made("b", seed=2)
    found = comparison.performance([a, b], resamples=200)
    own = found.networks["a"]
    truth = np.eye(4)[LABELS]
    assert own.images["accuracy"].value == pytest.approx((a.p.argmax(-1) == LABELS).mean())
    assert own.images["loss"].value == pytest.approx(-np.log(a.p[:, np.arange(300), LABELS]).mean())
    assert own.images["Brier"].value == pytest.approx(((a.p - truth) ** 2).sum(-1).mean())
    eces = [calibration_error(p) for p in a.p]
    np.testing.assert_allclose(own.members["ECE"], eces)
    assert own.images["ECE"].value == pytest.approx(np.mean(eces))
    for name, estimate in own.images.items():
        assert estimate.low < estimate.value + 0.02 < estimate.high + 0.04
        assert own.seeds[name].value == pytest.approx(estimate.value)
    (pair,) = found.pairs
    for name in own.images:
        both = [found.networks[each].images[name].value for each in "ab"]
        assert pair.images[name].value == pytest.approx(both[0] - both[1])


def calibration_error(p, bins=15):
    """The expected calibration error by a loop over bins."""
    confidence, right, error = p.max(-1), p.argmax(-1) == LABELS, 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def test_a_reliability_diagram_has_the_edges_in_the_lower_bin_and_nan_where_there_are_no_images():
    found = comparison.reliability(np.array([0.0, 0.5, 0.50001, 1.0, np.nan]), np.array([0, 1, 1, 1, 1]) > 0, 2)
    assert found.images.tolist() == [2, 2]
    assert found.accuracy.tolist() == [0.5, 1.0]
    assert found.ece == pytest.approx(0.5 * 0.25 + 0.5 * (1 - 0.750005))
    assert found.mce == pytest.approx(0.25)
    assert np.isnan(comparison.reliability(np.array([0.9]), np.array([True]), 2).accuracy[0])
    with pytest.raises(InputError, match="bins must be from 1 to 1000; it was 0"):
        comparison.reliability(np.array([0.9]), np.array([True]), 0)


def test_a_paired_interval_is_much_shorter_than_that_of_independent_networks():
    a = made("a")
    p = a.p.copy()
    p[0, :5] = np.eye(4)[(LABELS[:5] + 1) % 4]  # the same network but for five images
    found = comparison.performance([a, Answers("b", p, LABELS)], resamples=500)
    (pair,), own = found.pairs, found.networks["a"].images["accuracy"]
    assert pair.images["accuracy"].half < own.half / 2
    assert pair.only_other == 0


def test_a_network_does_not_differ_from_itself():
    a = made("a", 2)
    (pair,) = comparison.performance([a, Answers("b", a.p, LABELS)], resamples=200).pairs
    assert all((each.value, each.low, each.high) == (0, 0, 0) for each in pair.images.values())
    single = Answers("c", a.p[:1], LABELS)
    (pair,) = comparison.performance([single, single], resamples=200).pairs
    assert (pair.mcnemar, pair.only_one, pair.only_other) == (1, 0, 0)


def test_of_several_seeds_the_test_is_welchs_and_else_mcnemars_over_pairs_of_members():
    a, b, c = made("a", 3, 2.5), made("b", 4, 1.0, 1), made("c", 1, 1.0, 2)
    pairs = comparison.performance([a, b, c], resamples=200).pairs
    assert [pair.test for pair in pairs] == ["Welch over seeds", "McNemar", "McNemar"]
    accuracies = [each.right.mean(1) for each in (a, b)]
    assert pairs[0].p == pytest.approx(welch(*accuracies).pvalue)
    own = [comparison.mcnemar(int((r & ~c.right[0]).sum()), int((~r & c.right[0]).sum())) for r in a.right]
    assert pairs[1].p == pytest.approx(2 * np.median(own))
    assert [pair.corrected for pair in pairs] == comparison.holm([pair.p for pair in pairs])


def test_outputs_that_are_not_finite_are_wrong_and_leave_their_images_out_of_other_measures():
    a, b = made("a"), made("b", seed=5)
    p = a.p.copy()
    p[0, :100] = np.nan
    found = comparison.performance([Answers("a", p, LABELS), b], resamples=200)
    assert found.networks["a"].images["accuracy"].value == pytest.approx(a.right[0, 100:].sum() / 300)
    assert found.networks["b"].images["loss"].value == pytest.approx(b.loss[0, 100:].mean())
    nothing = Answers("a", np.full_like(p, np.nan), LABELS)
    found = comparison.performance([nothing, b], resamples=200)
    assert found.networks["a"].images["accuracy"].value == 0
    assert np.isnan(found.networks["a"].images["loss"].value)


def test_of_each_class_the_accuracy_is_its_recall():
    a, b = made("a", 2), made("b", seed=4)
    rows = comparison.by_class([a, b], 6, resamples=200)
    assert [number for number, _, _ in rows] == [0, 1, 2, 3]  # of classes 4 and 5 there are no images
    for number, own, differences in rows:
        expected = [each.right[:, LABELS == number].mean() for each in (a, b)]
        assert [estimate.value for estimate in own] == pytest.approx(expected)
        assert differences[0].value == pytest.approx(expected[0] - expected[1])
        assert own[0].low < own[0].value < own[0].high


def test_each_class_is_tested_by_itself_and_corrected_for_all_classes_and_pairs():
    a, b, c = made("a"), made("b", seed=4), made("c", 3, seed=5)
    (found,) = zip(*comparison.class_tests([a, b], 6).values(), strict=True)
    of = [LABELS == k for k in range(4)]
    only = [((a.right[0] & ~b.right[0])[k].sum(), (~a.right[0] & b.right[0])[k].sum()) for k in of]
    p = [stats.binomtest(int(x), int(x + y)).pvalue if x + y else 1.0 for x, y in only]
    assert found == pytest.approx(comparison.holm(p), abs=1e-12)
    d = made("d", 2, seed=6)
    welch = [stats.ttest_ind(*(each.right[:, k].mean(1) for each in (c, d)), equal_var=False).pvalue for k in of]
    (found,) = zip(*comparison.class_tests([c, d], 6).values(), strict=True)
    assert found == pytest.approx(comparison.holm(welch), abs=1e-12)


def test_churn_is_counted_over_pairs_of_members():
    a, b = made("a", 3), made("b", 2, seed=9)
    within_a, within_b, between = comparison.churn([a, b])
    expected = [np.mean(a.said[i] != a.said[j]) for i, j in combinations(range(3), 2)]
    assert within_a.different.tolist() == pytest.approx(expected)
    assert (len(within_b.different), len(between.different)) == (1, 6)
    assert within_a.is_within
    assert not between.is_within
    mean = np.mean([within_a.different.mean(), within_b.different.mean()])
    share = comparison.explained_by_seed(between, [within_a, within_b])
    assert share == pytest.approx(min(1, mean / between.different.mean()))
    (alone,) = comparison.churn([made("a"), made("b", seed=9)])
    assert np.isnan(comparison.explained_by_seed(alone, []))
    both_wrong = ~a.right[0] & ~b.right[0]
    assert between.same_mistake[0] == pytest.approx((a.said[0] == b.said[0])[both_wrong].mean())
    assert between.flipped[0] == pytest.approx((a.right[0] != b.right[0]).mean())


def test_disagreements_come_with_the_widest_margin_first():
    a, b = made("a"), made("b", seed=7)
    found, margin = comparison.only_right(a, b)
    assert sorted(found) == np.flatnonzero(a.right[0] & ~b.right[0]).tolist()
    assert (np.diff(margin) <= 0).all()
    assert margin[0] == pytest.approx(a.of_label[0, found[0]] - b.of_label[0, found[0]])


@pytest.mark.parametrize(
    ("names", "count", "outputs", "text"),
    [
        (("a", "b", "c"), 3, [0, 1, 2], ""),
        ((), 3, [0, 1, 2], ""),
        (("c", "a", "b"), 3, [1, 2, 0], "all classes are matched by their names"),
        (("b", "x", "a", "y"), 4, [2, 0, -1], "2 of 3 classes are matched by their names"),
        (("x", "y", "z"), 3, [0, 1, 2], "they are matched by their numbers"),
        (("x", "y"), 2, [-1, -1, -1], "tells 2 other classes apart"),
        ((), 7, [-1, -1, -1], "tells 7 other classes apart"),
    ],
)
def test_classes_are_matched_by_name_or_else_by_number(names, count, outputs, text):
    found = matched("net", names, count, ("a", "b", "c"))
    assert found.outputs.tolist() == outputs
    assert text in found.how
    assert bool(text) == bool(found.how)


@pytest.fixture(scope="module")
def nets():
    from dataclasses import replace

    a = replace(make_run(DenseNetwork()), name="a")
    return a, replace(a, name="b", members=[a.untrained])


def test_networks_are_compared_in_one_call(nets):
    part = make_dataset().test
    found = comparison.compare(*nets, part.images, part.labels, resamples=200, level=0.9)
    assert list(found.performance.networks) == ["a", "b"]
    assert (found.difference.one, found.difference.other) == ("a", "b")
    assert len(found.by_class) == len(np.unique(part.labels))
    images, _ = found.only_right()
    a, b = found.answers
    assert set(images) == set(np.flatnonzero(a.right[0] & ~b.right[0]))
    assert found.notes == []


def test_of_networks_with_other_classes_those_that_both_know_are_compared(nets):
    from dataclasses import replace

    a, b = nets
    part, names = make_dataset().test, tuple(f"class {i}" for i in range(10))
    a = replace(a, classes=names)
    b = replace(b, classes=(*names[5:], "u", "v", "w", "x", "y"))
    found = comparison.compare(a, b, part.images, part.labels, resamples=200)
    assert found.images.tolist() == np.flatnonzero(part.labels >= 5).tolist()
    assert any("of classes that all know: class 5, class 6" in note for note in found.notes)
    logits_of_five = found.answers[1].p[0, 0, 5]
    alone = comparison.compare(b, b, part.images, part.labels, classes=b.classes, resamples=200)
    assert logits_of_five == pytest.approx(alone.answers[0].p[0, found.images[0], 0])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"labels": np.arange(3)}, "one label per image; there were 30 images and 3 labels"),
        ({"level": 1.5}, "between 0 and 1, such as 0.95; it was 1.5"),
        ({"resamples": 3}, "resamples must be at least 100; it was 3"),
        ({"images": np.zeros((30, 9, 9, 1), np.uint8)}, "a takes images of 28x28x1; these are 9x9x1"),
        ({"images": slice(1)}, "at least two images"),
    ],
)
def test_what_cannot_be_compared_is_said(nets, change, text):
    part = make_dataset().test
    own = {"images": part.images, "labels": part.labels} | change
    if isinstance(own["images"], slice):
        own |= {"images": part.images[:1], "labels": part.labels[:1]}
    with pytest.raises(InputError, match=text):
        comparison.compare(*nets, **own)


def test_estimates_and_p_values_are_written_with_four_decimals():
    assert str(Estimate(0.5, 0.4, 0.61234)) == "0.5000 (0.4000 to 0.6123)"
    assert f"{Estimate(0.5, float('nan'), float('nan')):.2f}" == "0.50"
    assert Estimate(0.5, 0.4, 0.6).half == pytest.approx(0.1)
    assert [f"{PValue(p):.4f}" for p in (0.25, 1e-9, float("nan"))] == ["0.2500", "<0.0001", "–"]
