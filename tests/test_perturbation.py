"""Methods that remove segments and look at the score: their formulas, linear models, standard errors, faults."""

import itertools
import math
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import attribute, build
from cnnviz.attribution.inputs import Row
from cnnviz.attribution.methods.estimates import error_of_skewed_mean
from cnnviz.attribution.methods.windows import windows_over
from cnnviz.attribution.present import Presentation
from cnnviz.attribution.run import run
from cnnviz.attribution.segments import segments_of
from cnnviz.errors import InputError, InputTypeError
from cnnviz.models.cnn import CNN

KEY = jax.random.key(5)
SHAPE = (6, 4, 1)
RNG = np.random.default_rng(0)
W = jnp.asarray(RNG.normal(size=SHAPE), jnp.float32)
IMAGES = np.asarray(RNG.uniform(0.2, 1, (3, *SHAPE)), np.float32)
QUARTERS = (np.arange(6)[:, None] // 3) * 2 + np.arange(4) // 2  # 4 segments of 3x2
SAMPLED = ["rise", "lime", "kernel_shap", "shapley_sampling", "sobol", "hsic", "feature_permutation"]


def linear(weights, row):
    return lambda image, offsets: ((weights * image).sum() + 0.7, {})


def crossed(weights, row):
    """Linear but for a product of three segments' sums."""

    def score(image, offsets):
        parts = weights * image
        three = parts[:3, :2].sum() * parts[:3, 2:].sum() * parts[3:, 2:].sum()
        return parts.sum() + three, {}

    return score


def explained(name, score: Any = linear, images=IMAGES, key: Any = KEY, details=False, **options: Any) -> Any:
    batch_size, data = options.pop("batch_size", None), options.pop("data", None)
    method = build(name, **options).fitted_to([], images.shape[1:])
    finish = Presentation(None, None, details)
    rows = Row(jnp.asarray(images))
    found = run(method, score, W, rows, key=key, batch_size=batch_size, data=data, finish=finish)
    return found if details else np.asarray(found.maps)


def by_segment(values, mask=QUARTERS):
    """The sums of each image's values over segments, at every place of these."""
    sums = np.stack([np.where(mask == j, values.sum(-1), 0).sum((1, 2)) for j in range(mask.max() + 1)], 1)
    return sums[:, mask]


def shapley(score, image, infill, mask=QUARTERS):
    """Shapley values by their definition."""
    k, value = mask.max() + 1, lambda kept: float(score(W, None)(np.where(kept[mask][..., None], image, infill), {})[0])
    worth = {z: value(np.array(z)) for z in itertools.product([False, True], repeat=k)}
    found = np.zeros(k)
    for z in worth:
        for j in (j for j in range(k) if not z[j]):
            share = math.factorial(sum(z)) * math.factorial(k - sum(z) - 1) / math.factorial(k)
            found[j] += share * (worth[(*z[:j], True, *z[j + 1 :])] - worth[z])
    return found[mask]


@pytest.mark.parametrize("name", ["feature_ablation", "shapley_sampling", "kernel_shap", "lime"])
@pytest.mark.parametrize("infill", [0.0, "mean"])
def test_a_linear_score_is_explained_exactly(name, infill):
    options: Any = {"samples": 40} if name != "feature_ablation" else {}
    found = explained(name, mask=QUARTERS, infill=infill, **options)
    removed = IMAGES.mean((1, 2), keepdims=True) if infill == "mean" else 0
    np.testing.assert_allclose(found, by_segment(np.asarray(W) * (IMAGES - removed)), atol=2e-4)


def test_occlusion_of_a_linear_score_is_the_window_s_sum():
    found = explained("occlusion", window=(3, 2), stride=(3, 2))
    np.testing.assert_allclose(found, by_segment(np.asarray(W) * IMAGES), atol=1e-5)


def test_occlusion_is_the_mean_over_the_windows_that_cover_a_place_also_at_the_edge():
    found = explained("occlusion", window=(4, 3), stride=(3, 2), infill=0.25)
    total, covered = np.zeros((3, 6, 4)), np.zeros((6, 4))
    change = (np.asarray(W) * (IMAGES - 0.25)).sum(-1)
    for y, x in itertools.product((0, 3), (0, 2)):  # the last window along each side reaches beyond it
        part = np.s_[y : y + 4, x : x + 3]
        total[(slice(None), *part)] += change[(slice(None), *part)].sum((1, 2), keepdims=True)
        covered[part] += 1
    np.testing.assert_allclose(found, total / covered, atol=1e-5)


def test_windows_of_channels_and_of_other_shapes():
    assert windows_over((28, 28, 1), None, None).counts == (13, 13, 1)
    assert windows_over((8, 8, 3), (2, 3, 1), 2) == ((8, 8, 3), (2, 3, 1), (2, 2, 3))
    assert windows_over((1, 9, 2), 4, 2) == ((1, 9, 2), (1, 4, 2), (1, 2, 2))
    assert windows_over((5,), None, None).counts == (5,)
    assert windows_over((5,), 2, 2).counts == (3,)


def test_values_that_no_window_covers_are_zero():
    found = explained("occlusion", window=1, stride=2)
    assert not found[:, 1::2].any()
    np.testing.assert_allclose(found[:, ::2, ::2], (np.asarray(W) * IMAGES)[:, ::2, ::2, 0], atol=1e-5)


@pytest.mark.parametrize("name", ["shapley_sampling", "kernel_shap"])
def test_shapley_values_of_a_product_are_those_of_the_definition(name):
    found = explained(name, crossed, mask=QUARTERS, samples=1000, infill=0.1)
    expected = np.stack([shapley(crossed, image, 0.1) for image in IMAGES])
    np.testing.assert_allclose(found, expected, atol=0.04 * np.abs(expected).max())
    due = [crossed(W, None)(x, {})[0] - crossed(W, None)(np.full(SHAPE, 0.1), {})[0] for x in IMAGES]
    sums = [found[:, QUARTERS == j][:, 0] for j in range(4)]
    np.testing.assert_allclose(np.sum(sums, 0), due, rtol=1e-4)  # complete, whatever was drawn


def test_sobol_of_a_linear_score_is_the_share_of_each_segment_s_square():
    expected = by_segment(np.asarray(W) * IMAGES) ** 2
    expected = expected / np.stack([(expected[:, QUARTERS == j][:, 0]) for j in range(4)]).sum(0)[:, None, None]
    for order in ("total", "first"):
        found = explained("sobol", mask=QUARTERS, samples=1500, order=order)
        np.testing.assert_allclose(found, expected, atol=0.05)


def test_hsic_is_its_formula_and_tends_to_that_of_the_segments():
    n, method = 60, build("hsic", samples=60, mask=QUARTERS)
    found = explained("hsic", mask=QUARTERS, samples=n)[0]
    fitted: Any = replace(build(method), segments=4)
    key = jax.random.fold_in(KEY, 0)
    kept = np.asarray(jax.vmap(lambda i: fitted.draw(key, i, jnp.asarray(IMAGES[0])))(jnp.arange(n)))
    y = (by_segment(np.asarray(W) * IMAGES)[0][[0, 0, 3, 3], [0, 2, 0, 2]] * kept).sum(1)
    width = np.median(np.abs(y - np.roll(y, n // 2)))
    center = np.eye(n) - 1 / n
    alike = np.exp(-((y[:, None] - y) ** 2) / (2 * width**2))
    for j in range(4):
        agree = (kept[:, j, None] == kept[:, j]).astype(float)
        expected = np.trace(agree @ center @ alike @ center) / n**2
        np.testing.assert_allclose(found[QUARTERS == j], expected, rtol=1e-4)


def test_rise_of_a_linear_score_is_its_covariance():
    """Features are masked each by itself; without centering the mean score is added everywhere."""
    features, weights = IMAGES[:, :5, 0, 0], W[:5, 0, 0]
    score = lambda w, row: linear(weights, row)
    found = explained("rise", score, features, samples=6000)
    np.testing.assert_allclose(found, 0.5 * np.asarray(weights) * features, atol=0.06)
    plain = explained("rise", score, features, samples=6000, centered=False)
    mean = 0.7 + 0.5 * (np.asarray(weights) * features).sum(1, keepdims=True)
    np.testing.assert_allclose(plain - found, np.broadcast_to(mean, found.shape), atol=0.06)


def test_the_masks_of_rise_have_the_probability_as_their_mean():
    rise: Any = build("rise")
    masks = jax.vmap(lambda i: rise.draw(KEY, i, jnp.ones((9, 14, 2))))(jnp.arange(2000))
    assert masks.min() >= 0
    assert masks.max() <= 1
    np.testing.assert_allclose(masks.mean(0), 0.5, atol=0.06)


def test_permutation_takes_a_segment_s_values_from_other_images():
    donors = np.asarray(RNG.uniform(size=(2, *SHAPE)), np.float32)
    found = explained("feature_permutation", mask=QUARTERS, infill=donors, samples=400)
    np.testing.assert_allclose(found, by_segment(np.asarray(W) * (IMAGES - donors.mean(0))), atol=0.25)
    one = explained("feature_permutation", mask=QUARTERS, infill="data", data=donors[:1], samples=2)
    np.testing.assert_allclose(one, explained("feature_ablation", mask=QUARTERS, infill=donors[0]), atol=1e-5)
    own = explained("feature_permutation", mask=QUARTERS, samples=2000)
    expected = by_segment(np.asarray(W) * (IMAGES - IMAGES.mean((1, 2), keepdims=True)))
    np.testing.assert_allclose(own, expected, atol=0.1)


@pytest.mark.parametrize("name", SAMPLED)
def test_the_error_is_the_deviation_over_keys_and_halves_with_four_times_the_samples(name):
    samples = {"shapley_sampling": 30, "sobol": 200}.get(name, 120)
    options: Any = {"samples": samples} | ({"mask": QUARTERS} if name != "rise" else {"cells": 2})
    images = np.repeat(IMAGES[:1], 120, 0)  # an image's key is its place, so these are 120 keys
    found = explained(name, crossed, images, details=True, **options)
    assert (found.samples_to_halve == 4 * samples).all()
    spread, told = np.std(found.maps, 0, ddof=1), np.mean(found.error, 0)
    rough = 0.35 if name in ("hsic", "sobol") else 0.2
    np.testing.assert_allclose(told, spread, rtol=rough, atol=0.02 * spread.max())
    more = explained(name, crossed, images[:40], details=True, **options | {"samples": 4 * samples})
    np.testing.assert_allclose(np.mean(more.error), np.mean(told) / 2, rtol=0.2)


@pytest.mark.parametrize("name", SAMPLED)
def test_draws_are_the_same_for_any_batch_size_and_others_for_another_key(name):
    options: Any = {"samples": 7 if name != "kernel_shap" else 8}
    once = explained(name, crossed, **options)
    np.testing.assert_allclose(explained(name, crossed, batch_size=3, **options), once, atol=1e-5)
    assert np.abs(explained(name, crossed, key=jax.random.key(6), **options) - once).max() > 0


def test_too_few_samples_for_an_error_are_said_by_nan():
    for name in ("rise", "shapley_sampling", "sobol", "lime"):
        assert np.isnan(explained(name, details=True, samples=1).error).all()


@pytest.mark.parametrize("infill", ["black", "mean", "blur", "noise", "data"])
def test_every_infill_is_taken(infill):
    data = np.asarray(RNG.uniform(size=(2, *SHAPE)), np.float32)
    maps = [explained(name, crossed, infill=infill, data=data) for name in ("occlusion", "feature_ablation")]
    assert all(np.isfinite(found).all() and found.any() for found in maps)


def test_masks_have_one_of_three_shapes_or_are_one_per_image():
    plain = explained("feature_ablation", crossed, mask=QUARTERS)
    for mask in (QUARTERS[..., None], QUARTERS + 7, QUARTERS * 10, np.stack([QUARTERS] * 3)):
        np.testing.assert_array_equal(explained("feature_ablation", crossed, mask=mask), plain)
    halves = np.stack([QUARTERS // 2, QUARTERS, QUARTERS % 2])
    found = explained("feature_ablation", crossed, mask=halves)
    np.testing.assert_allclose(found[1], plain[1], atol=1e-6)
    np.testing.assert_allclose(found[0], explained("feature_ablation", crossed, mask=halves[0])[0], atol=1e-6)


def test_masks_by_name():
    np.testing.assert_array_equal(segments_of("grid:2", SHAPE)[..., 0], QUARTERS)
    assert segments_of("grid:50", (2, 3, 4)).max() == 5
    assert segments_of("values", (2, 3, 4)).max() == 23
    assert segments_of("pixels", (2, 3, 4)).max() == 5
    assert segments_of("grid", (28, 28, 1)).max() == 48
    np.testing.assert_array_equal(segments_of("grid:2", (5,)), [0, 0, 0, 1, 1])


def test_superpixels_are_of_each_image():
    pytest.importorskip("skimage")
    images = np.zeros((2, 12, 12, 1), np.float32)
    images[0, :, 6:], images[1, 6:] = 1, 1
    score = lambda w, row: lambda image, offsets: (image.sum(), {})
    for mask in ("slic:8", "felzenszwalb:5"):
        found = explained("feature_ablation", score, images, mask=mask)
        assert not found[0, :, :5].any()  # black is not missed
        assert found[0, :, 7:].any()


def test_superpixels_without_their_library_say_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.segmentation", None)
    with pytest.raises(InputError, match=r'The mask "slic" needs scikit-image: pip install "cnnviz\[segments\]"'):
        explained("feature_ablation", mask="slic")


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("feature_ablation", dict(mask=np.zeros((6, 4), int)), r"at least two segments; this one \(mask\) has 1"),
        ("feature_ablation", dict(mask="grid:1"), "at least two segments"),
        ("feature_ablation", dict(mask=np.zeros((5, 4), int)), r"\(6, 4\) or \(6, 4, 1\), or .*; it has \(5, 4\)"),
        ("lime", dict(mask=np.zeros((2, 6, 4), int) + QUARTERS), r"one per image \(3\); there are 2"),
        ("lime", dict(mask=QUARTERS / 1.0), "so integers; these are float64"),
        ("lime", dict(mask="gird:7"), "'gird' is not a mask; did you mean 'grid'"),
        ("lime", dict(mask="grid:x"), "it was 'grid:x'"),
        ("lime", dict(mask=3), "it was 3"),
        ("lime", dict(infill="data"), "needs images of a data set; give them as data"),
        ("lime", dict(infill=np.zeros((2, 2))), "An infill is a number, an image"),
        ("feature_permutation", dict(infill="data"), "needs images of a data set; give them as data"),
        ("lime", dict(samples=0), "at least one sample; samples was 0"),
        ("lime", dict(width=0.0), "width is positive; it was 0"),
        ("lime", dict(ridge=-1.0), "ridge is not negative; it was -1"),
        ("rise", dict(visible=1.0), "between 0 and 1; it was 1"),
        ("rise", dict(cells=0), "cells was 0"),
        ("sobol", dict(order="second"), "'second' is not an order of Sobol index"),
        ("kernel_shap", dict(mask="pixels", samples=20), "at least 46 samples for 24 segments, .*; samples was 20"),
        ("kernel_shap", dict(mask="pixels", samples=20, antithetic=False), "at least 23 samples for 24 segments"),
        ("occlusion", dict(window=7), r"at most as large as the image \(6, 4, 1\); it was 7"),
        ("occlusion", dict(window=(2, 5)), r"at most as large as the image \(6, 4, 1\); it was \(2, 5\)"),
        ("occlusion", dict(window=0), "A window is at least 1; it was 0"),
        ("occlusion", dict(window=2, stride=0), "A stride is at least 1; it was 0"),
        ("occlusion", dict(window=(1, 1, 1, 1)), "one per axis of an image"),
        ("occlusion", dict(window=(1, True)), "number of pixels, or one per side"),
        ("occlusion", dict(infill="noise", key=None), "The infill 'noise' draws at random; give it a key"),
        ("rise", dict(key=None), "RISE draws at random; give it a key"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said(name, options, text):
    with pytest.raises(InputError, match=text):
        explained(name, **options)


def test_a_mask_that_is_traced_is_refused():
    with pytest.raises(InputError, match=r"not an argument of jax\.jit"):
        jax.jit(lambda mask: explained("feature_ablation", mask=mask))(QUARTERS)
    assert issubclass(InputTypeError, InputError)


def test_of_one_model_each_takes_targets_pairs_units_and_signals():
    model, image = CNN(classes=3), np.asarray(RNG.uniform(size=(1, 8, 8, 1)), np.float32)
    variables = jax.jit(model.init)(KEY, image)
    ask = partial(attribute, "feature_ablation", model, variables, image, mask="grid:2")
    np.testing.assert_allclose(ask((2, 0)), ask(2) - ask(0), atol=1e-5)
    assert ask("predicted").shape == (1, 8, 8)
    assert ask(lambda logits: logits.sum()).any()


def test_a_sample_of_hsic_is_one_forward_pass():
    seen = []
    method = replace(build("hsic"), mask=jnp.arange(16).reshape(4, 4, 1), segments=16)
    method.contribute(lambda x, _: seen.append(x) or (x.sum(), {}), jnp.ones((4, 4, 1)), jnp.ones(16, bool))
    assert len(seen) == 1


def test_the_error_of_a_mean_is_finite_where_samples_hardly_differ():
    samples = np.random.default_rng(0).exponential(size=(9, 2)).astype(np.float32) * np.float32([[1, 1e-18]])
    found = error_of_skewed_mean(jnp.asarray(samples))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1], found[0] * samples[:, 1].std() / samples[:, 0].std(), rtol=1e-3)
