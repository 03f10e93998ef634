"""How right a network is on a data set: counts by hand, Wilson's interval, and a record of every image."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from cnnviz.data import Dataset, Split
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.networks.measures import ByClass, interval, mean, top_right
from cnnviz.pictures import evaluate, files
from cnnviz.pictures.picture import Data, Skipped

NAMES = ("ant", "bee", "cat")


class Said:
    """A network that answers with the logits in its images' first pixels."""


@pytest.fixture
def net(monkeypatch):
    """A network whose probabilities are those of `predict`, which the test sets."""
    found = Net("net", Said(), [{}], [], (4, 4, 1), NAMES, "things")
    vars(found).update(class_count=3, ending="none")
    monkeypatch.setattr(evaluate, "affordable", lambda net, count: count)
    return found


def made(labels, names=NAMES):
    images = np.zeros((len(labels), 4, 4, 1), np.uint8)
    part = Split(images, np.array(labels, np.int32))
    return Dataset("others", Split(images[:1], part.labels[:1]), part, names, "", "")


def drawn(net, dataset, said, monkeypatch, **options):
    """The two pictures if the network says these classes; None is an output that is NaN."""
    k = len(dataset.classes)
    p = np.array([np.full(k, np.nan) if c is None else 0.9 * np.eye(k)[c] + 0.1 / k for c in said])
    monkeypatch.setattr(evaluate, "predict", lambda net, images, report: p[: len(images)])
    return evaluate.Evaluate(**options)([net], Data(lambda: dataset))


def test_all_are_the_images_of_every_split_and_the_table_says_which(net, monkeypatch):
    whole = made([0, 1, 1])
    data = replace(whole, validation=Split(whole.test.images[:1], np.array([2], np.int32)))  # after one of training
    table, matrix = drawn(net, data, [0, 2, 0, 1, 0], monkeypatch, split="all")
    assert table.title.startswith("net on all images of others: accuracy 0.8000")
    assert [record["true"] for record in table.numbers] == ["ant", "cat", "ant", "bee", "bee"]
    assert matrix.title == "net on others: confusion matrix, accuracy 0.8000"
    assert {*matrix.table[0]} == {"data set", "images", "right", "accuracy"}
    for split in ("train", "test"):
        _, matrix = drawn(net, data, [0, 1, 1], monkeypatch, split=split)
        assert f"{split} images" in matrix.table[0]


@pytest.mark.parametrize(("right", "count"), [(0, 10), (10, 10), (91, 100), (9123, 10_000), (1, 2)])
def test_the_interval_holds_the_shares_that_the_count_does_not_speak_against(right, count):
    low, high = interval(right, count)
    z = norm.ppf(0.975)
    for end in {low, high} - {0.0, 1.0}:  # its ends are where the score test is just significant
        assert abs(right / count - end) == pytest.approx(z * np.sqrt(end * (1 - end) / count), rel=1e-6)
    assert 0 <= low <= right / count <= high <= 1
    assert interval(0, 0) == (0, 1)


def test_precision_recall_and_f1_are_those_counted_by_hand():
    found = ByClass.of(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, -1]), 4)
    np.testing.assert_allclose(found.recall, [2 / 3, 1 / 2, 0, np.nan])
    np.testing.assert_allclose(found.precision, [2 / 3, 1 / 2, np.nan, np.nan])
    np.testing.assert_allclose(found.f1, [2 / 3, 1 / 2, 0, np.nan])
    assert found.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert np.isnan(mean(np.array([np.nan])))


def test_the_five_likeliest_are_counted_and_nan_is_never_among_them():
    p = np.array([[0.1, 0.5, 0.4], [0.1, 0.5, 0.4], [np.nan] * 3])
    assert [top_right(p, np.array([2, 0, 1]), most) for most in (1, 2, 3)] == [0, 1, 2]


def test_an_evaluation_is_a_table_of_classes_with_every_prediction_as_its_numbers(net, monkeypatch, tmp_path):
    labels, said = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, None]
    table, matrix = drawn(net, made(labels), said, monkeypatch)
    assert table.title == "net on the test images of others: accuracy 0.5000, 95% interval 0.1876 to 0.8124"
    assert "3 of 6 images are right." in table.caption
    assert "The outputs for 1 are NaN or infinite, and count as wrong." in table.caption
    assert [row["class"] for row in table.table] == [*NAMES, "all"]
    assert [row["accuracy"] for row in table.table] == pytest.approx([2 / 3, 1 / 2, 0, 1 / 2])
    assert [row["F1"] for row in table.table] == pytest.approx([2 / 3, 1 / 2, 0, 7 / 18])
    _, path = files.write(table, tmp_path, data=True)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["true"] for row in rows] == [NAMES[i] for i in labels]
    assert [row["predicted"] for row in rows] == ["ant", "ant", "bee", "bee", "ant", ""]
    assert [row["right"] for row in rows] == ["True", "True", "False", "True", "False", "False"]
    _, path = files.write(matrix, tmp_path, data=True)
    found = json.loads(path.read_text())
    assert found["counts"] == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert (found["right"], found["images"], found["macro_f1"]) == (3, 6, pytest.approx(7 / 18))
    assert "test accuracy 0.5000" in matrix.title


def test_the_train_split_is_called_so(net, monkeypatch):
    table, matrix = drawn(net, made([1, 1, 1]), [1, 1, 1], monkeypatch, split="train")
    assert "on the train images of others: accuracy 1.0000" in table.title
    assert "train accuracy 1.0000" in matrix.title
    assert "1 of 1 train image is right" in matrix.caption
    with pytest.raises(InputError, match="'tset' is not a split"):
        drawn(net, made([1]), [1], monkeypatch, split="tset")


@pytest.mark.parametrize(
    ("names", "accuracy", "sentence"),
    [
        (NAMES, 1, "right. A class's"),
        (("cat", "bee", "ant"), 1 / 3, "Classes are matched by their names."),
        (("x", "y", "z"), 1, "others has other names of classes; they are matched by their numbers."),
    ],
)
def test_classes_in_another_order_are_matched_by_their_names(names, accuracy, sentence, net, monkeypatch):
    table, _ = drawn(net, made([0, 1, 2], names), [0, 1, 2], monkeypatch)
    assert table.table[-1]["accuracy"] == pytest.approx(accuracy)
    assert sentence in table.caption
    assert table.numbers[0]["true"] == ("cat" if names[0] == "cat" else "ant")


def test_of_many_classes_the_least_accurate_are_in_the_table_and_the_top_five_are_said(net, monkeypatch):
    names = tuple(f"class {i}" for i in range(60))
    labels = list(range(60)) * 2
    said = [*range(60), *range(50), *[0] * 10]
    table, _ = drawn(replace_classes(net, names), made(labels, names), said, monkeypatch)
    assert len(table.table) == 51
    assert {row["class"] for row in table.table[:10]} == set(names[50:])
    assert "Drawn are the 50 classes of 60 with the least accuracy." in table.caption
    assert "Top-5 accuracy:" in table.caption
    assert table.draw().axes


def replace_classes(net, names):
    found = replace(net, classes=names)
    vars(found).update(class_count=len(names), ending="none")
    return found


def test_a_network_with_one_output_is_not_right_or_wrong(net):
    vars(net)["class_count"] = 1
    with pytest.raises(Skipped, match="net has one output"):
        evaluate.Evaluate()([net], Data(lambda: made([0])))
