"""Attacked and corrupted images: what the curves count, what corruptions do, and bad options."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_pictures import DATA, make_run

from cnnviz.errors import InputError
from cnnviz.metrics.corruptions import CORRUPTIONS, corrupted
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures.predictions import predict
from cnnviz.pictures.robustness import Robustness, band

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(60, 200, (3, 16, 12, 2), np.uint8)
FEW: Any = {"images": "0:8", "steps": 5, "methods": "gradient", "epsilons": "0.3,0.02"}


@pytest.fixture(scope="module")
def net():
    return make_run(DenseNetwork())


@pytest.fixture(scope="module")
def pictures(net):
    return Robustness(**FEW)([net], DATA)


def test_the_curves_begin_with_the_clean_accuracy_and_fall(pictures):
    numbers = pictures[0].numbers
    for norm in ("linf", "l2"):
        rights = {name: numbers[f"{norm}.{name}"] for name in ("fgsm", "pgd", "minimal")}
        assert all((right[0] == rights["fgsm"][0]).all() for right in rights.values())
        assert all(right.shape == (3, 8) for right in rights.values())
        assert (np.diff(rights["minimal"].astype(int), axis=0) <= 0).all()
    assert numbers["linf.epsilon"].tolist() == [0, 0.02, 0.3]
    np.testing.assert_allclose(numbers["l2.epsilon"], [0, 0.02 * 14, 0.3 * 14])  # 28 x 28 values


def test_panels_are_named_by_the_symbols_of_their_norms(pictures):
    titles = [ax.get_title(loc="left") for ax in pictures[0].figure().axes if ax.axison]
    assert titles == ["L∞", "L2"]


def test_the_band_is_wilson_s_interval():
    found = band([np.array([True] * 9 + [False])])
    np.testing.assert_allclose([found["mean"][0], found["low"][0], found["high"][0]], [0.9, 0.5958, 0.9821], atol=1e-4)


def test_adversarial_images_stay_near_their_clean_ones(net):
    dataset = DATA.of(net)
    labels = predict(net, dataset.test.images).argmax(-1).astype(dataset.test.labels.dtype)
    said = replace(dataset, test=replace(dataset.test, labels=labels))
    data = replace(DATA, find=lambda: said)
    *_, beside = Robustness(**FEW, epsilon=0.1)([net], data)
    numbers: Any = beside.numbers
    clean, changed = (numbers["images"][i::2].astype(int) for i in (0, 1))
    assert 0 < abs(clean - changed).max() <= 26
    assert len(numbers["gradient"]) == len(numbers["images"])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_are_worse_by_severity_and_the_same_for_any_batch(name):
    distances = [abs(corrupted(name, IMAGES, s).astype(int) - IMAGES).mean() for s in (1, 5)]
    assert 0 < distances[0] < distances[1]
    alone = corrupted(name, IMAGES[2:], 3, numbers=[2], seed=4)
    np.testing.assert_array_equal(corrupted(name, IMAGES, 3, seed=4)[2:], alone)


def test_contrast_and_shift_by_their_formulas():
    mean = IMAGES.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(corrupted("contrast", IMAGES, 2), mean + 0.5 * (IMAGES - mean), atol=0.51)
    found = corrupted("shift", IMAGES, 4)
    each = [(dy, dx) for dy in (2, -2) for dx in (2, -2)]
    for one, image in zip(found, IMAGES, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
        assert any((one == padded[2 - dy : 18 - dy, 2 - dx : 14 - dx]).all() for dy, dx in each)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epsilons": "0.1,a"}, InputError, "numbers with commas between them; it was '0.1,a'"),
        ({"epsilons": "0"}, InputError, "above 0 and at most 1"),
        ({"epsilon": 2.0}, InputError, "above 0 and at most 1"),
        ({"images": "photo.jpg"}, InputError, "photo.jpg"),
    ],
)
def test_bad_options(options, error, message, net):
    with pytest.raises(error, match=message):
        Robustness(**options)([net], DATA)


def test_bad_corruptions():
    with pytest.raises(InputError, match="A severity is one of 1, 2, 3, 4 and 5; it was 6"):
        corrupted("noise", IMAGES, 6)
    with pytest.raises(InputError, match="corruption"):
        corrupted("fog", IMAGES, 1)


def test_default_methods_that_do_not_apply_are_left_out_and_said(net):
    few = {name: value for name, value in FEW.items() if name != "methods"}
    dataset = DATA.of(net)
    said = predict(net, dataset.test.images).argmax(-1).astype(dataset.test.labels.dtype)
    data = replace(DATA, find=lambda: replace(dataset, test=replace(dataset.test, labels=said)))
    *_, beside = Robustness(**few)([net], data)
    drawn: Any = beside.numbers
    assert {"integrated_gradients", "smooth_grad:samples=20"} <= drawn.keys()
    assert "grad_cam" not in drawn
    assert "Left out: grad_cam. " in beside.caption
    with pytest.raises(InputError, match="No layer of this model has a spatial extent"):
        Robustness(**few, methods="grad_cam,gradient")([net], data)
