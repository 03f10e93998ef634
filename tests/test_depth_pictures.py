"""Pictures over depth and over ablated units: their numbers are those of `units`, their captions say what they show."""

from dataclasses import replace

import numpy as np
import pytest
from test_pictures import make_dataset, make_run

from cnnviz import units
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.pictures.ablation import Ablation, Asked
from cnnviz.pictures.picture import Data
from cnnviz.pictures.probe_accuracy import UNTRAINED, ProbeAccuracy
from cnnviz.probe import Layer

DATASET = make_dataset((12, 12, 1))
DATA = Data(lambda: DATASET)


@pytest.fixture(scope="module")
def net():
    return make_run(CNN(width=3, hidden=5), (12, 12, 1))


def test_probes_are_measured_on_the_test_images(net):
    (picture,) = ProbeAccuracy(layer="relu*", fit=12)([net], DATA)
    train, test = DATASET.train, DATASET.test
    held = test.images, test.labels
    expected = units.linear_probes(
        net.model, net.variables, train.images[:12], train.labels[:12], "relu*", held_out=held, prepare=net.prepare
    )
    assert [row["layer"] for row in picture.numbers] == ["relu1", "relu2", "relu3"]
    assert [row["right"] for row in picture.numbers] == [each.right for each in expected]
    assert picture.numbers[0]["low"] < picture.numbers[0]["accuracy"] < picture.numbers[0]["high"]
    figure = picture.draw()
    drawn = figure.axes[0].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, [each.accuracy for each in expected])
    assert "fitted to 12 training images" in picture.caption


def test_probes_before_training_are_a_line_of_their_own(net):
    (picture,) = ProbeAccuracy(layer="relu3", fit=12, untrained=True)([net], DATA)
    assert [row["network"] for row in picture.numbers] == ["trained network", UNTRAINED]
    assert len(picture.draw().axes[0].containers) == 2
    with pytest.raises(InputError, match="fit must be at least 2 images; it was 1"):
        ProbeAccuracy(fit=1)([net], DATA)


def test_curves_are_those_of_units_and_the_band_is_of_the_random_orders(net):
    (picture,) = Ablation(layer="relu2", draws=3, steps=3)([net], DATA)
    numbers = picture.numbers
    assert numbers["accuracy"].shape == (5, 4)
    assert numbers["removed"].tolist() == [0, 2, 4, 6]
    ax = picture.draw().axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), numbers["accuracy"][0])
    np.testing.assert_allclose(ax.lines[2].get_ydata(), numbers["accuracy"][2:].mean(0))
    assert f"Accuracy is {numbers['accuracy'][0, 0]:.4f} with all units" in picture.caption
    assert picture.table[0]["unit"] == numbers["ranked"][0]
    mean = Ablation(layer="relu2", instead="mean", draws=1, steps=2)([net], DATA)[0]
    assert mean.name == "ablation_relu2_mean"
    assert "replaced by their mean" in mean.caption


def test_pairs_are_drawn_on_request(net):
    _, picture = Ablation(layer="relu1", draws=1, steps=2, pairs=True)([net], DATA)
    assert picture.numbers["units"].tolist() == [[0, 1], [0, 2], [1, 2]]
    shown = picture.draw().axes[0].images[0].get_array()
    assert np.ma.getmaskarray(np.ma.masked_invalid(shown)).diagonal().all()
    best = int(picture.numbers["excess"].argmax())
    assert [picture.table[0]["unit"], picture.table[0]["other"]] == picture.numbers["units"][best].tolist()


def test_what_cannot_be_ablated_is_said(net):
    with pytest.raises(InputError, match="draws must be at least 1 random order; it was 0"):
        Ablation(draws=0)([net], DATA)
    with pytest.raises(InputError, match="'men' is not a replacement; did you mean 'mean'"):
        Ablation(layer="relu1", instead="men")([net], DATA)
    asked = Asked(net, "image", DATASET.test.images, DATASET.test.labels, DATASET, Ablation())
    wide = [Layer("image", "Dense", (300,), 0, None)]
    vars(other := replace(net))["layers"] = wide
    with pytest.raises(InputError, match="image has 300 units, whose 44,850 pairs are too many"):
        replace(asked, net=other).matrix(None)
