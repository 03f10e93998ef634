"""Notes under maps: gaps, and standard errors with the samples that would halve them."""

from typing import Any

import numpy as np
from test_pictures import DATA, make_run

from cnnviz.attribution import build
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures.attribute import Attributions
from cnnviz.pictures.attribution_page import Explained, error_of

METHODS = "rise:samples=10;integrated_gradients:samples=5;gradient"


def test_a_map_s_error_is_a_share_of_its_largest_value():
    values = np.array([[0.0, -4.0], [1.0, 2.0]])
    assert error_of(np.full((2, 2), 0.1), values, 400) == "error 2.5%"
    assert error_of(np.full((2, 2), 1.0), values, 400) == "error 25.0%\n400 halve it"
    assert error_of(np.full((2, 2), np.nan), values, 8) == "error unknown:\n8 samples?"


def test_the_error_of_the_mean_over_members_is_less():
    maps, error = np.ones((4, 1, 2, 2)), np.full((4, 1, 2, 2), 0.08)
    assert Explained(build("rise"), maps, {}, None, error, np.full((4, 1), 100)).notes == ["error 4.0%"]


def test_attribute_tells_the_error_under_each_map():
    (picture,) = Attributions(images="0:2", methods=METHODS)([make_run(DenseNetwork())], DATA)
    draw: Any = picture.draw
    numbers: Any = picture.numbers
    rise, gradients, gradient = draw.args[2].values()
    assert all(note.startswith("error ") and note.endswith("40 halve it") for note in rise.notes)
    assert all(note.startswith("gap ") for note in gradients.notes)
    assert not gradient.notes
    assert "An error is the standard error of a typical value" in picture.caption
    assert numbers["rise:samples=10.standard_error"].shape == (1, 2, 28, 28)


def test_the_caption_tells_where_few_samples_make_segments_coarse():
    asked = "kernel_shap:samples=10;kernel_shap:samples=200;kernel_shap:samples=10,mask=grid:2"
    (picture,) = Attributions(images="0:2", methods=asked)([make_run(DenseNetwork())], DATA)
    assert "kernel_shap:samples=10: Its segments are as coarse as 10 samples require" in picture.caption
    assert picture.caption.count("as coarse as") == 1
