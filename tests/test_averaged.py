"""Attribution pictures of maps by regions of the images, and averaged over copies of them."""

import json
from typing import Any

import jax
import numpy as np
import pytest
from test_pictures import DATA, make_run

from cnnviz.attribution import attribute as plain
from cnnviz.attribution import augmented, regions
from cnnviz.errors import InputError
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures import attribute
from cnnviz.pictures.attribute import Attributions

METHODS = "rise:samples=10;integrated_gradients:samples=5;gradient"


@pytest.fixture(scope="module")
def net():
    return make_run(DenseNetwork())


def drawn(net, **options) -> Any:
    (picture,) = Attributions(images="0:2", methods=METHODS, **options)([net], DATA)
    return picture


def test_maps_by_regions_are_those_of_the_library_and_keep_their_gap(net):
    pytest.importorskip("skimage")
    plain, changed = drawn(net), drawn(net, regions=True)
    pixels = plain.numbers["images"]
    for name in ("rise:samples=10", "gradient"):
        np.testing.assert_allclose(changed.numbers[name][0], regions(plain.numbers[name][0], pixels))
        assert abs(changed.numbers[name] - plain.numbers[name]).max() > 0
    gap = "integrated_gradients:samples=5.gap"
    np.testing.assert_array_equal(changed.numbers[gap], plain.numbers[gap])
    sums = [one.numbers["integrated_gradients:samples=5"].sum((2, 3)) for one in (plain, changed)]
    np.testing.assert_allclose(*sums, rtol=1e-4)
    assert "rise:samples=10.standard_error" not in changed.numbers
    assert "mean of the map over its region of the image" in changed.caption
    assert changed.subject["drawn"] == ["regions"]
    assert json.loads(str(changed.numbers["manifest"]))["regions"]


def test_augmented_maps_are_those_of_the_library(net):
    picture = drawn(net, augment=True)
    images = net.prepare(picture.numbers["images"])
    key, classes = jax.random.key(0), attribute.probabilities(net, images).argmax(-1)
    expected = augmented("rise", net.model, net.variables, images, classes, key=key, samples=10)
    np.testing.assert_allclose(picture.numbers["rise:samples=10"][0], expected, atol=1e-6)
    assert not [name for name in picture.numbers if name.endswith((".gap", ".standard_error"))]
    assert "the mean over six copies of the image" in picture.caption
    assert picture.subject["drawn"] == ["augmented"]


def test_regions_without_scikit_image_say_what_to_install(net, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.segmentation", None)
    with pytest.raises(InputError, match=r'pip install "cnnviz\[segments\]"'):
        drawn(net, regions=True)


def test_the_infill_data_is_drawn_from_training_images(net):
    (picture,) = Attributions(images="0:2", methods="occlusion:window=7,infill=data;occlusion:window=7")([net], DATA)
    one, other = (picture.numbers[name] for name in ("occlusion:window=7,infill=data", "occlusion:window=7"))
    images, own = picture.numbers["images"], attribute.training_images(net, DATA)
    classes = attribute.probabilities(net, net.prepare(images)).argmax(-1)
    given = {"key": jax.random.key(0), "window": 7, "infill": "data", "data": own}
    expected = plain("occlusion", net.model, net.variables, net.prepare(images), classes, **given)
    np.testing.assert_allclose(one[0], expected, atol=1e-6)
    assert abs(one - other).max() > 0
