"""Garments: the same bits for the same key, ten classes that differ, and something to learn."""

import hashlib

import numpy as np
import pytest

from cnnviz import data
from cnnviz.data import garments


@pytest.fixture(scope="module")
def drawn():
    return garments.draw(garments.KEY, 3000)


def test_a_key_gives_the_same_bits_and_another_key_others(drawn):
    images, labels = garments.draw(garments.KEY, 40)
    np.testing.assert_array_equal(images, drawn[0][:40])
    np.testing.assert_array_equal(labels, drawn[1][:40])
    assert (garments.draw(garments.KEY + 1, 40)[0] != images).any()
    assert (garments.draw(garments.KEY, 40, stream=1)[0] != images).any()


def test_the_bits_are_these_on_every_machine():
    images, labels = garments.draw(garments.KEY, 500)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert digest == "d16b1b06f2983612e36a2f3f85e9bef0ec9af256aeeb56edcf6f595b8ff6ec0e"


def test_classes_are_even_and_the_first_image_is_an_ankle_boot(drawn):
    images, labels = drawn
    assert images.shape == (3000, 28, 28, 1)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [300] * 10
    assert labels[0] == 9


def test_every_image_is_whole_and_none_is_like_another(drawn):
    images, _ = drawn
    assert ((images > 40).mean((1, 2, 3)) > 0.03).all()
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_a_linear_model_finds_it_hard_and_not_impossible(drawn):
    """Ridge regression on the pixels: far above chance, far from all right."""
    images, labels = drawn
    pixels = np.concatenate([images.reshape(3000, -1) / 255, np.ones((3000, 1))], axis=1)
    train, test = slice(0, 2500), slice(2500, None)
    gram = pixels[train].T @ pixels[train] + 30 * np.eye(pixels.shape[1])
    weights = np.linalg.solve(gram, pixels[train].T @ np.eye(10)[labels[train]])
    accuracy = (pixels[test] @ weights).argmax(1) == labels[test]
    assert 0.5 < accuracy.mean() < 0.85


def test_as_a_data_set_they_have_fashion_mnist_s_classes(monkeypatch, tmp_path, drawn):
    monkeypatch.setenv("CNNVIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(garments, "TRAIN", 50)
    monkeypatch.setattr(garments, "TEST", 20)
    found = data.load("garments")
    assert (len(found.train.images), len(found.test.images)) == (50, 20)
    assert found.classes[9] == "Ankle boot"
    np.testing.assert_array_equal(found.train.images, drawn[0][:50])
