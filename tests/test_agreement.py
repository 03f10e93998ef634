"""Agreement of attribution maps: numbers against independent ones, and the part `agreement` of a comparison."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from scipy.stats import spearmanr
from test_compare import jittered
from test_pictures import make_dataset, make_run

from cnnviz.attribution import attribute
from cnnviz.comparison import agreement, map_agreement, member_maps, on_other_images, spread
from cnnviz.errors import InputError
from cnnviz.figures.fonts import FONT
from cnnviz.figures.texts import cut_off, make_drawable, overlapping
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures.compared.agreement import Agreement
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import Data, Skipped

RANDOM = np.random.default_rng(5)
A = RANDOM.normal(size=(6, 12, 10)).astype(np.float32)
B = (A + 0.7 * RANDOM.normal(size=A.shape)).astype(np.float32)


def ssim(a, b):
    """Wang et al., with the windows and sample covariances of scikit-image."""
    a, b = (each.astype(np.float64) / np.abs(each).max() for each in (a, b))
    extent, n = max(a.max(), b.max()) - min(a.min(), b.min()), 49
    mean = lambda x: uniform_filter(x, 7)[3:-3, 3:-3]
    ma, mb = mean(a), mean(b)
    covariance = lambda x, y: n / (n - 1) * (mean(x * y) - mean(x) * mean(y))
    c1, c2 = (0.01 * extent) ** 2, (0.03 * extent) ** 2
    above = (2 * ma * mb + c1) * (2 * covariance(a, b) + c2)
    return (above / ((ma**2 + mb**2 + c1) * (covariance(a, a) + covariance(b, b) + c2))).mean()


def top(values, k):
    return set(np.argsort(-np.abs(values.ravel()))[:k].tolist())


def test_numbers_are_those_of_scipy_and_of_sets():
    found = agreement(A, B)
    for i, (a, b) in enumerate(zip(A, B, strict=True)):
        assert found.rank[i] == pytest.approx(spearmanr(a.ravel(), b.ravel())[0], abs=1e-5)
        assert found.top[i] == pytest.approx(len(top(a, 12) & top(b, 12)) / 12, abs=1e-6)
        assert found.sign[i] == pytest.approx((np.sign(a) == np.sign(b)).mean(), abs=1e-6)
        assert found.ssim[i] == pytest.approx(ssim(a, b), abs=1e-5)
    wider = agreement(A, B, share=0.5)
    assert wider.top[0] == pytest.approx(len(top(A[0], 60) & top(B[0], 60)) / 60, abs=1e-6)


def test_equal_maps_have_exactly_one_and_opposite_ones_the_least():
    assert (agreement(A, A).stacked() == 1).all()
    opposite = agreement(A, -A)
    np.testing.assert_allclose(opposite.rank, -1, atol=1e-6)
    assert (opposite.sign == 0).all()
    assert (opposite.top == 1).all()  # of absolute values


def test_what_is_not_defined_is_nan_and_ties_share_their_places():
    flat, zero = np.ones((1, 12, 10), np.float32), np.zeros((1, 12, 10), np.float32)
    found = agreement(flat, A[:1])
    assert np.isnan([found.rank[0], found.ssim[0]]).all()
    assert found.top[0] == pytest.approx(12 / 120, abs=1e-6)  # as by chance
    assert np.isnan(agreement(zero, zero).sign[0])
    assert np.isnan(agreement(A[:1], A[:1] * np.nan).stacked()).all()
    half = np.where(A[:1] > 0, A[:1], 0)
    counted = (half != 0) | (A[:1] != 0)
    assert agreement(half, A[:1]).sign[0] == pytest.approx((np.sign(half) == np.sign(A[:1]))[counted].mean(), abs=1e-6)
    small = agreement(A[:, :4, :4], B[:, :4, :4])
    assert np.isnan(small.ssim).all()
    assert np.isfinite(small.rank).all()
    signals = agreement(A.reshape(6, -1), B.reshape(6, -1))
    np.testing.assert_allclose(signals.rank, agreement(A, B).rank, atol=1e-6)


def test_no_map_is_compared_with_itself_for_the_baseline():
    assert (on_other_images(A).rank < 0.9).all()
    assert (on_other_images(np.stack([A[0], A[0]])).rank == 1).all()
    with pytest.raises(InputError, match="at least two images; there are 1"):
        on_other_images(A[:1])


@pytest.mark.parametrize(
    ("maps", "options", "text"),
    [((A, A[:, :5]), {}, "have one shape"), ((A, B), {"share": 0.0}, "share of its values")],
)
def test_what_cannot_agree_is_refused(maps, options, text):
    with pytest.raises(InputError, match=text):
        agreement(*maps, **options)


def records(picture) -> list[dict]:
    """The picture's numbers, which are records."""
    return list(picture.numbers)


@pytest.fixture(scope="module")
def three():
    return jittered(make_run(DenseNetwork(width=8)), "one recipe", 3)


@pytest.fixture(scope="module")
def dataset():
    found = make_dataset()
    images = RANDOM.integers(0, 256, (40, 28, 28, 1), dtype=np.uint8)
    return replace(found, test=type(found.test)(images, np.arange(40, dtype=np.int32) % 10))


def test_maps_of_members_are_the_same_together_and_in_turn(three, dataset):
    images, labels = dataset.test.images[:4], dataset.test.labels[:4]
    maps = member_maps("gradient", three, images, labels, together=False)
    one = attribute("gradient", three.model, three.members[1], three.prepare(images), labels)
    np.testing.assert_allclose(maps[1], one, atol=1e-6)
    np.testing.assert_allclose(member_maps("gradient", three, images, labels, together=True), maps, atol=1e-6)
    key = jax.random.key(1)
    options = {"key": key, "samples": 3}
    in_turn = member_maps("smooth_grad", three, images, labels, together=False, **options)
    np.testing.assert_allclose(
        member_maps("smooth_grad", three, images, labels, together=True, **options), in_turn, atol=1e-5
    )


def test_mean_and_deviation_are_of_maps_divided_by_their_largest_value():
    maps = np.stack([A, 10 * B])
    scaled = [each / np.abs(each).max((1, 2), keepdims=True) for each in (A, B)]
    found = spread(maps)
    np.testing.assert_allclose(found.mean, np.mean(scaled, 0), atol=1e-6)
    np.testing.assert_allclose(found.deviation, np.std(scaled, 0, ddof=1), atol=1e-6)
    assert np.isnan(spread(maps[:1]).deviation).all()
    assert (spread(np.zeros((2, 1, 3, 3))).mean == 0).all()


def test_two_networks_are_compared_in_one_call(three, dataset):
    found = map_agreement(three, three.first, dataset.test.images[:5], 3, "gradient")
    assert [each.rank.shape for each in found.between] == [(5,)] * 3
    assert (found.between[0].rank == 1).all()
    assert len(found.baseline) == 3
    maps = member_maps("gradient", three, dataset.test.images[:5], 3)
    np.testing.assert_array_equal(found.baseline[1].rank, on_other_images(maps[1]).rank)


def test_the_part_has_seeds_networks_and_the_baseline(three, dataset):
    other = replace(three.first, name="another")
    pictures = Agreement(method="gradient", explained=8)([three, other], Data(lambda: dataset))
    numbers, maps = pictures
    assert [(row["maps"], row["pairs"]) for row in numbers.table] == [
        ("seeds of one recipe", 3),
        ("one recipe, another", 3),
        ("one recipe, other images", 3),
        ("another, other images", 1),
    ]
    between = [row for row in records(numbers) if row["compared"] == "networks" and row["pair"] == 0]
    assert {row["rank correlation"] for row in between} == {1.0}  # another is the first member
    assert "Baseline" in numbers.caption
    assert numbers.subject["method"] == ["gradient"]
    assert set(maps.numbers) == {"images", "one recipe mean of 3", "one recipe deviation", "another"}
    for picture in pictures:
        for page in (Page("column"), Page("text", "paper")):
            figure = picture.figure(page)
            make_drawable(figure, FONT)
            assert cut_off(figure) == []
            assert overlapping(figure) == []


def test_the_same_network_twice_and_networks_without_common_classes_are_said(three, dataset):
    one = replace(three.first, name="x")
    numbers, _ = Agreement(method="gradient", explained=4)([one, replace(one, name="y")], Data(lambda: dataset))
    assert "The maps of x and y are exactly the same." in numbers.caption
    few = replace(make_run(DenseNetwork(classes=4, width=8)), name="few", classes=("u", "v", "w", "x"))
    numbers, _ = Agreement(method="gradient", explained=4)([one, replace(one, name="y"), few], Data(lambda: dataset))
    assert "Left out, with other classes: few." in numbers.caption
    with pytest.raises(Skipped, match="Fewer than two networks"):
        Agreement(method="gradient")([one, few], Data(lambda: dataset))
    with pytest.raises(Skipped, match="one network of one seed"):
        Agreement()([one], Data(lambda: dataset))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "gradcam"}, "did you mean 'grad_cam'"),
        ({"explained": 1}, "explained must be at least 2 images"),
        ({"top": 1.5}, "above 0 and at most 1"),
    ],
)
def test_an_invalid_option_is_an_error_of_one_sentence(three, dataset, options, text):
    with pytest.raises(InputError, match=text):
        Agreement(**options)([three], Data(lambda: dataset))
