"""The table of methods and metrics: ranks, intervals, tests and what is kept, from numbers made by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control, spearmanr, wilcoxon
from test_pictures import DATA, make_run

from cnnviz.attribution import build as method_of
from cnnviz.errors import InputError
from cnnviz.metrics import build
from cnnviz.metrics.evidence import Evidence, curve_bands, holm, interval, paired
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures import evidence as numbers
from cnnviz.pictures import random_weights
from cnnviz.pictures.evaluate import Evaluate
from cnnviz.pictures.evidence import Asked, Found, Subject, described
from cnnviz.pictures.evidence_page import _undefined, table_caption
from cnnviz.pictures.kept import Kept, digest
from cnnviz.pictures.picture import Data
from cnnviz.probe.one_output import OneOutput

RNG = np.random.default_rng(0)
METHODS, METRICS = ("good", "bad", "none", "edges"), ("insertion", "deletion")


def evidence():
    """Of each method, 2 members by 60 images: good is best by both, none is undefined."""
    level = np.array([[0.9, 0.1], [0.4, 0.6], [np.nan, np.nan], [0.5, 0.5]])
    values = level[:, :, None, None] + 0.1 * RNG.normal(size=(4, 2, 2, 60))
    return Evidence(METHODS, METRICS, values, ("higher", "lower"), ("edges",))


def test_ranks_follow_what_is_better_and_leave_controls_out():
    found = evidence()
    np.testing.assert_array_equal(found.ranks, [[1, 1], [2, 2], [np.nan] * 2, [np.nan] * 2])
    np.testing.assert_array_equal(found.mean_ranks, [1, 2, np.nan, np.nan])
    assert found.defined.tolist() == [[120, 120], [120, 120], [0, 0], [120, 120]]
    cell = found.cells["good", "deletion"]
    assert cell.low < cell.mean < cell.high
    assert cell.mean == pytest.approx(0.1, abs=0.05)


def test_only_a_method_that_is_better_beats_the_control():
    assert evidence().beats("edges").tolist() == [[True, True], [False, False], [False, False], [False, False]]
    same = evidence().values.copy()
    same[0] = same[3]
    assert not Evidence(METHODS, METRICS, same, ("higher", "lower"), ("edges",)).beats("edges").any()


def test_tests_are_paired_and_corrected():
    rows = evidence().tests()
    assert len(rows) == 12
    values = evidence().values
    first = rows[0]
    assert (first["method"], first["other"], first["metric"]) == ("good", "bad", "insertion")
    assert first["difference"] == pytest.approx(0.5, abs=0.05)
    assert first["p"] < first["p (Holm)"] < 1e-6
    one, other = values[0, 0], values[1, 0]
    assert paired(one, other) == pytest.approx(wilcoxon((one - other).mean(0)).pvalue)
    assert paired(one, one) == 1
    assert np.isnan(paired(values[2, 0], one))


def test_holm_is_the_definition():
    p = [0.01, 0.04, 0.03, 0.005, float("nan")]
    assert holm(p)[:4] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert np.isnan(holm(p)[4])
    assert (np.array(holm(p)[:4]) >= false_discovery_control(p[:4]) - 1e-12).all()


def test_an_interval_over_images_is_that_of_the_normal_approximation():
    values = RNG.normal(size=(1, 400))
    mean, low, high = interval(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert (mean, low, high) == pytest.approx((values.mean(), mean - half, mean + half), abs=0.012)
    assert interval(values) == interval(values)


def test_an_interval_over_members_covers_their_differences():
    members = np.array([0.0, 1.0, 2.0])[:, None] + 0.01 * RNG.normal(size=(3, 200))
    _, low, high = interval(members)
    assert high - low > 1
    assert all(np.isnan(interval(np.full((1, 5), np.nan))))
    mean, low, high = interval(np.array([[0.5]]))
    assert mean == 0.5
    assert np.isnan([low, high]).all()


def test_an_undefined_image_is_left_out():
    values = RNG.normal(size=(1, 50))
    values[0, 7] = np.nan
    assert interval(values)[0] == pytest.approx(np.nanmean(values))


def test_metrics_agree_if_they_order_methods_alike():
    means = RNG.normal(size=(6, 1))
    values = np.stack([means, -means, RNG.normal(size=(6, 1))], 1)[..., None].repeat(4, -1)
    found = Evidence([f"m{i}" for i in range(6)], ("a", "b", "c"), values, ("higher", "lower", "higher"))
    agreement = found.agreement()
    assert agreement[0, 1] == pytest.approx(1)
    assert agreement[0, 2] == pytest.approx(spearmanr(values[:, 0, 0, 0], values[:, 2, 0, 0]).statistic)


def test_bands_hold_the_mean_curve():
    curves = RNG.normal(size=(80, 5))
    found = curve_bands(curves)
    np.testing.assert_allclose(found["mean"], curves.mean(0))
    assert (found["low"] < found["mean"]).all()
    assert (found["mean"] < found["high"]).all()


def test_what_was_computed_is_kept_and_a_damaged_file_is_computed_again(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return {"values": np.arange(3.0)}

    kept = Kept(tmp_path / "numbers", {"network": "x"})
    for _ in range(2):
        np.testing.assert_array_equal(kept.get({"metric": "a"}, compute)["values"], np.arange(3.0))
    assert len(calls) == 1
    kept.get({"metric": "b"}, compute)
    Kept(tmp_path / "numbers", {"network": "y"}).get({"metric": "a"}, compute)
    assert len(calls) == 3
    kept.path({"metric": "a"}).write_bytes(b"PK damaged")
    kept.get({"metric": "a"}, compute)
    assert len(calls) == 4
    Kept(None, {}).get({}, compute)
    assert len(calls) == 5
    assert digest(np.zeros(3)) != digest(np.zeros((3, 1)))


def test_methods_that_the_strip_has_no_room_for_are_said(monkeypatch):
    monkeypatch.setattr(random_weights, "MOST_DRAWN", 3)
    asked = Evaluate(methods="gradient,input_x_gradient", metrics="mprt,sparseness", images="0:4")
    found = {picture.name: picture for picture in asked([make_run(DenseNetwork())], DATA)}
    missing = {"gradient", "input_x_gradient"} - set(found["evidence_random_weights"].draw.args[1])
    assert len(missing) == 1
    assert f"the best 1 are drawn, without {missing.pop()}." in found["evidence_random_weights"].caption


def test_maps_that_metrics_cannot_measure_are_named_once():
    assert _undefined("cam", ["road", "deletion", "insertion"], np.array([33, 1, 33])) == (
        "Left out is 1 constant map of cam, which deletion cannot measure. "
        "Left out are 33 constant maps of cam, which road, insertion cannot measure."
    )
    assert _undefined("cam", ["road"], np.zeros(1)) == ""


def test_a_caption_says_which_metrics_of_networks_are_1_or_0_for_the_controls():
    labels, controls = ("deletion", "mprt", "input_invariance"), ("random", "sobel")
    values = np.stack([RNG.random((3, 1, 9)), *(np.array([0.4, 1, 0])[:, None, None] + np.zeros((2, 3, 1, 9)))])
    made = {label: build(label) for label in (*labels, "mege", "reco")}
    agreed = {"mege": dict(good=0.6, random=1.0, sobel=1.0), "reco": dict(good=0.6, random=0.0, sobel=0.0)}
    evidence = Evidence(("good", *controls), labels, values, ["lower"] * 3, controls)
    same = "for any network and class, so mprt is 1, input_invariance is 0, mege is 1, reco is 0. †"
    assert same in table_caption(Found(evidence, {}, made, of_members=agreed))
    alone = replace(evidence, metrics=("deletion",), values=values[:, :1], better=["lower"])
    assert "know nothing of the network. †" in table_caption(Found(alone, {}, made))


def subject_of(train, path=None):
    """Ten images of a network of one seed, of a data set with these training images."""
    dataset = DATA.of(make_run(DenseNetwork()))
    other = replace(dataset, train=replace(dataset.train, images=train))
    asked = Asked("gradient", "deletion", "0:10", "test", None, 0)
    return Subject.of(asked, replace(make_run(DenseNetwork()), path=path), Data(lambda: other))


def test_what_draws_from_training_images_is_kept_for_those_images(tmp_path):
    images = DATA.of(make_run(DenseNetwork())).train.images
    one, other = (subject_of(train, tmp_path) for train in (images, 255 - images))
    path = lambda subject, method, metric: subject.kept().path(described(subject, "m", method, "x", metric, 0))
    plain, drawn = build("deletion"), build("deletion", infill="data")
    methods = {"plain": method_of("gradient"), "data": method_of("occlusion", infill="data")}
    methods["set"] = method_of("expected_gradients", baseline=np.zeros((2, *images.shape[1:]), np.float32))
    assert path(one, methods["plain"], plain) == path(other, methods["plain"], plain)
    assert path(one, "sobel", plain) == path(other, "sobel", plain)
    assert path(one, methods["plain"], drawn) != path(other, methods["plain"], drawn)
    for method in (methods["data"], methods["set"]):
        assert path(one, method, plain) != path(other, method, plain)


def test_a_table_measures_methods_together_as_each_alone(monkeypatch):
    asked = "faithfulness_correlation:samples=5,sparseness"
    names, calls = ("gradient", "input_x_gradient"), []
    original = numbers.measure
    monkeypatch.setattr(numbers, "measure", lambda *of, **options: calls.append(of[-1]) or original(*of, **options))

    def means(methods):
        found = Evaluate(methods=methods, metrics=asked, images="0:6")([make_run(DenseNetwork())], DATA)[0].numbers
        return {(row["method"], row["metric"]): row["mean"] for row in found}

    together = means(",".join(names))
    assert sorted(map(len, calls)) == [1] * 4 + [4]  # sparseness of each method and control; all of them at once
    for name in names:
        for cell, mean in means(name).items():
            assert mean == pytest.approx(together[cell], abs=1e-5)


def test_metrics_of_several_networks_are_refused_for_one_and_left_out_of_all(monkeypatch):
    net = make_run(DenseNetwork())
    with pytest.raises(InputError, match="MeGe compares networks that were trained alike; .* is one network"):
        Evaluate(metrics="mege", images="0:4")([net], DATA)
    monkeypatch.setattr(numbers, "METRICS", {name: numbers.METRICS[name] for name in ("sparseness", "mege", "reco")})
    table = Evaluate(methods="gradient", metrics="all", images="0:4")([net], DATA)[0]
    rows: Any = table.numbers
    assert {row["metric"] for row in rows} == {"sparseness"}
    assert "Left out: mege. MeGe" in table.caption
    assert "Left out: reco. ReCo" in table.caption


def test_a_metric_that_measures_no_method_says_why():
    with pytest.raises(InputError, match="A subset has fewer pixels than the map, which has 784; size was 900"):
        Evaluate(metrics="faithfulness_correlation:size=900", images="0:4")([make_run(DenseNetwork())], DATA)


def test_a_metric_of_members_that_the_images_do_not_allow_is_left_out_of_all(monkeypatch):
    net, said = make_run(DenseNetwork()), []
    two = replace(net, members=[net.variables] * 2, beginnings=[net.variables] * 2, seeds=(0, 1))
    monkeypatch.setattr(numbers, "METRICS", {"sparseness": "", "reco": ""})
    asked = Evaluate(methods="gradient", metrics="all", images="0:4")
    first, *_ = asked([two], replace(DATA, note=said.append))
    reason = "reco. ReCo needs images that two members have right, and images that only one of them has."
    assert f"Left out: {reason}" in first.caption
    assert said == [f"left out: {reason}"]
    assert {row["metric"] for row in first.numbers} == {"sparseness"}
    with pytest.raises(InputError, match="ReCo needs images"):
        replace(asked, metrics="sparseness,reco")([two], DATA)


def test_a_method_that_does_not_apply_is_named():
    with pytest.raises(InputError, match=r"^grad_cam: No layer of this model has a spatial extent"):
        Evaluate(methods="gradient,grad_cam", metrics="sparseness", images="0:4")([make_run(DenseNetwork())], DATA)


def test_numbers_are_kept_for_the_output_that_is_explained(tmp_path):
    one = subject_of(DATA.of(make_run(DenseNetwork())).train.images, tmp_path)
    first, other = (replace(one, net=replace(one.net, model=OneOutput(one.net.model, name))) for name in "ab")
    paths = {subject.kept().path({"metric": "x"}) for subject in (one, first, other)}
    assert len(paths) == 3


def test_the_progress_goes_from_the_numbers_to_the_pictures_and_never_back():
    told = []
    report = lambda done, total, what="": told.append((done / total, what))
    Evaluate(methods="gradient", metrics="sparseness,deletion:steps=2", images="0:4")(
        [make_run(DenseNetwork())], DATA, report
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert next(share for share, what in told if what == "intervals and tests") == 0.9
    assert 0.8 <= max(share for share, what in told if "sobel" in what) <= 0.9
    assert [what for _, what in told[-3:]] == ["intervals and tests", "curves", "agreement"]
