"""Contact sheets and pages of units: their numbers, their order, dead units, and what is kept for the next one."""

from dataclasses import replace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.text import Text
from test_pictures import make_dataset, make_run

from cnnviz import units
from cnnviz.errors import InputError
from cnnviz.figures.fonts import FONT
from cnnviz.figures.texts import cut_off, make_drawable, overlapping
from cnnviz.figures.unit_page import Bars, Histogram, UnitPage, unit_page
from cnnviz.models.cnn import CNN
from cnnviz.models.dense import DenseNetwork
from cnnviz.models.resnet import ResNet
from cnnviz.pictures import unit_sheet
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import Data, Skipped
from cnnviz.pictures.unit_numbers import Numbers
from cnnviz.pictures.unit_page import _loss
from cnnviz.pictures.units import Units
from cnnviz.probe.one_output import OneOutput

DATASET = make_dataset((12, 12, 1))
DATA = Data(lambda: DATASET)
DEAD = 2


def numbers_of(picture) -> Any:
    """The picture's arrays by their names."""
    return picture.numbers


@pytest.fixture(scope="module")
def net():
    """A network whose unit 2 of relu1 is dead."""
    net = make_run(CNN(width=4, hidden=9), (12, 12, 1))
    variables = jax.tree.map(jnp.array, net.variables)
    variables["params"]["conv1"]["bias"] = variables["params"]["conv1"]["bias"].at[DEAD].set(-100.0)
    return replace(net, members=[variables])


@pytest.fixture(scope="module")
def sheet(net):
    (picture,) = Units(layer="relu1", sort="selectivity")([net], DATA)
    return picture


def test_a_sheet_has_the_numbers_of_all_units_in_its_order(net, sheet):
    images, labels = DATASET.test.images, DATASET.test.labels
    options = {"labels": labels, "prepare": net.prepare}
    stats = units.statistics(net.model, net.variables, images, "relu1", **options)["relu1"]
    worth = units.ablation(net.model, net.variables, images, labels, "relu1", prepare=net.prepare)
    seen = units.patches(net.model, net.variables, images, "relu1", prepare=net.prepare)
    order = np.argsort(-stats.selectivity, kind="stable")
    found = numbers_of(sheet)
    assert found["unit"].tolist() == order.tolist()
    np.testing.assert_allclose(found["selectivity"], stats.selectivity[order], rtol=1e-5)
    np.testing.assert_allclose(found["mean"], stats.mean[order], rtol=1e-5)
    np.testing.assert_array_equal(found["accuracy_lost"], worth.accuracy_lost[order])
    np.testing.assert_array_equal(found["top_images"], seen.images[:, order])
    np.testing.assert_array_equal(found["top_windows"], seen.windows[:, order])
    assert found["dead"].tolist() == [unit == DEAD for unit in order]
    assert "1 of 4 units is dead" in sheet.caption
    assert "exactly the pixels" in sheet.caption
    assert "its kernel (weights from" in sheet.caption


@pytest.mark.parametrize("page", [Page("column", "paper"), Page("text", "paper"), Page("slide"), Page()])
def test_no_text_of_a_sheet_is_cut_off(sheet, page):
    figure = sheet.figure(page)
    make_drawable(figure, FONT)
    assert cut_off(figure) == []
    assert overlapping(figure) == []
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts].count("dead") == 1
    assert len(ax.images) == 4 * 4 - 3  # a dead unit has its kernel, and no patches


@pytest.mark.parametrize("sort", unit_sheet.SORTS)
def test_units_are_sorted_by_any_statistic(net, sort):
    (picture,) = Units(layer="relu1", sort=sort)([net], DATA)
    found = numbers_of(picture)
    by = {"largest": found["top_values"][0], "accuracy": found["accuracy_lost"], "loss": found["loss_gained"]}
    values = by.get(sort, found.get(sort))
    assert (np.diff(values) > 0).all() if sort == "unit" else (np.diff(np.nan_to_num(values, nan=-1)) <= 0).all()


def test_many_units_are_on_pages(monkeypatch, net):
    monkeypatch.setattr(unit_sheet, "PAGE", 3)
    first, second = Units(layer="relu1")([net], DATA)
    assert [picture.subject["units"] for picture in (first, second)] == [[0, 1, 2], [3]]
    assert second.title.endswith("page 2 of 2")
    assert second.draw().axes
    monkeypatch.setattr(unit_sheet, "PAGES", 1)
    (only,) = Units(layer="relu1")([net], DATA)
    assert "Drawn are the first 3 of 4 units" in only.caption
    assert len(numbers_of(only)["unit"]) == 4


def test_relevance_ranks_the_images_of_sheets_and_pages(net):
    expected = units.patches(
        net.model, net.variables, DATASET.test.images, "relu1", by="relevance", prepare=net.prepare
    )
    (sheet,) = Units(layer="relu1", by="relevance")([net], DATA)
    (page,) = Units(layer="relu1", by="relevance", unit=1)([net], DATA)
    np.testing.assert_array_equal(numbers_of(sheet)["top_images"], expected.images)
    np.testing.assert_array_equal(numbers_of(page)["top_images"], expected.images[:, 1])
    assert "most relevant" in sheet.caption
    assert [picture.name for picture in (sheet, page)] == ["units_relu1_relevance", "unit_relu1_1_relevance"]
    assert page.draw().axes


def test_a_layer_of_later_units_shows_mean_patches_and_a_dense_one_whole_images(net):
    (sheet,) = Units(layer="relu2")([net], DATA)
    assert "the mean of its 9 top patches" in sheet.caption
    assert sheet.draw().axes[0].images
    (dense,) = Units(layer="relu3")([net], DATA)
    assert (numbers_of(dense)["top_windows"] == [[0, 12], [0, 12]]).all()
    assert dense.draw().axes[0].images


def test_without_maps_the_last_non_linearity_is_drawn():
    dense = make_run(DenseNetwork(width=6, depth=2), (12, 12, 1))
    (sheet,) = Units()([dense], DATA)
    (page,) = Units(unit=1)([dense], DATA)
    assert [picture.name for picture in (sheet, page)] == ["units_relu2", "unit_relu2_1"]


def test_a_page_says_how_many_images_its_connections_and_pairs_are_measured_on(net, monkeypatch):
    (page,) = Units(layer="relu1", unit=1, pairs=True)([net], DATA)
    assert f"mean activation over {len(DATASET.test.images)} images, what the edge adds" in page.caption
    monkeypatch.setattr("cnnviz.pictures.unit_page.FEW", 8)
    (page,) = Units(layer="relu1", unit=1, pairs=True)([net], DATA)
    assert "mean activation over the first 8 images, what the edge adds" in page.caption
    assert "beyond that gained without each, over the first 8 images: " in page.caption


def test_what_was_computed_is_read_by_the_next_command(net, tmp_path, monkeypatch):
    lines, run = [], replace(net, path=tmp_path)
    data = Data(lambda: DATASET, lines.append)
    ask = lambda **options: Units(layer="relu1", **options)([run], data)[0]
    first = ask()
    ask(unit=1)
    files = sorted((tmp_path / "units").iterdir())
    assert len(files) == 3  # statistics, ablation, profile
    assert {file.suffix for file in files} == {".npz"}

    def refuse(*arguments, **options):
        raise AssertionError("computed again")

    for name in ("statistics", "ablation"):
        monkeypatch.setattr(units, name, refuse, raising=False)
    monkeypatch.setattr("cnnviz.pictures.unit_numbers.profile", refuse)
    again = ask(sort="unit")
    for name, array in numbers_of(first).items():
        np.testing.assert_array_equal(array, numbers_of(again)[name])
    assert ask(unit=1).caption
    with pytest.raises(AssertionError, match="computed again"):  # other weights
        Units(layer="relu1")([replace(run, members=[net.untrained])], data)
    monkeypatch.undo()
    for file in files:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    again = ask()
    np.testing.assert_array_equal(numbers_of(first)["mean"], numbers_of(again)["mean"])
    assert sum("is damaged; its numbers are computed again" in line for line in lines) == 2
    assert not any("damaged" in line for line in lines[2:])


def test_a_folder_that_cannot_be_written_keeps_nothing(net, tmp_path):
    lines = []
    (tmp_path / "units").write_text("in the way")
    (picture,) = Units(layer="relu1")([replace(net, path=tmp_path)], Data(lambda: DATASET, lines.append))
    assert picture.draw().axes
    assert any("cannot be written" in line for line in lines)


def test_an_interruption_keeps_what_is_complete(net, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(units, "ablation", interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        Units(layer="relu1")([replace(net, path=tmp_path)], DATA)
    assert len(list((tmp_path / "units").glob("*.npz"))) == 1
    assert not list((tmp_path / "units").glob(".*"))


def test_each_seed_has_numbers_of_its_own_and_the_one_shown_is_said(net, tmp_path):
    members = {"members": [net.variables, net.untrained], "beginnings": [net.untrained] * 2, "seeds": (3, 4)}
    both = replace(net, **members, path=tmp_path)
    (sheet,) = Units(layer="relu1")([both], DATA)
    assert "seed 3, one of 2" in sheet.title
    (other,) = Units(layer="relu1")([both.only(1)], DATA)
    assert len(list((tmp_path / "units").glob("*.npz"))) == 4
    assert (numbers_of(other)["mean"] != numbers_of(sheet)["mean"]).any()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sort": "selectiv"}, "did you mean 'selectivity'"),
        ({"by": "values"}, "did you mean 'value'"),
        ({"layer": "relu9"}, "did you mean"),
        ({"pairs": True}, "name it by --unit"),
        ({"unit": 99}, "relu2 has no unit 99"),
    ],
)
def test_what_cannot_be_is_said(net, options, text):
    with pytest.raises(InputError, match=text):
        Units(**options)([net], DATA)
    with pytest.raises(Skipped):
        Units()([net], Data())


def test_bars_without_a_length_have_an_axis_of_whole_numbers():
    figure = unit_page(UnitPage([Bars("% accuracy lost without it", ["cat", "dog"], np.zeros(2))]))
    assert figure.axes[0].get_xlim() == (-1, 1)


def test_a_logarithmic_histogram_says_so():
    zeros = np.append(np.zeros(5000), np.linspace(0, 1, 30))
    figure = unit_page(UnitPage([Histogram("activations", zeros), Histogram("weights", zeros[-30:])]))
    said = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert said == [["logarithmic counts", "activations"], ["weights"]]


@pytest.mark.parametrize(("gained", "words"), [(0.25, "rises by 0.25"), (-0.25, "falls by 0.25")])
def test_what_becomes_of_the_loss_is_said_without_a_sign(gained, words):
    assert _loss(gained) == f"the loss {words}"


def test_kernels_of_color_images_are_in_color():
    data = Data(lambda: make_dataset((12, 12, 3), 4))
    (sheet,) = Units(layer="relu1")([make_run(CNN(width=3, hidden=5), (12, 12, 3), 4)], data)
    assert [np.asarray(image.get_array()).shape for image in sheet.draw().axes[0].images[::4]] == [(3, 3, 3)] * 3


def test_units_of_the_output_are_named_by_their_classes(net):
    texts = lambda picture: [each.get_text() for each in picture.draw().findobj(Text)]
    (hidden,) = Units(layer="relu3", unit=0)([net], DATA)
    to_output = [each for each in texts(hidden) if each.startswith("→")]
    assert len(to_output) == 8
    assert {each.split("\n")[1] for each in to_output} < {f"({name})" for name in net.classes}
    assert {row["unit"] for row in hidden.table if row["edge"] == "fed by it"} <= {
        f"{i} ({name})" for i, name in enumerate(net.classes)
    }
    (output,) = Units(layer="logits", unit=1)([net], DATA)
    assert f"unit 1 ({net.classes[1]}) of logits" in output.title
    (sheet,) = Units(layer="logits")([net], DATA)
    assert f"unit 1 ({net.classes[1]})" in texts(sheet)
    (sheet,) = Units(layer="relu3")([net], DATA)
    assert "unit 1" in texts(sheet)


@pytest.mark.slow
def test_a_residual_network():
    data = Data(lambda: make_dataset((16, 16, 3), 4))
    net = make_run(ResNet(channels=8), (16, 16, 3), 4)
    sheet, *_ = Units()([net], data)
    assert sheet.draw().axes[0].images
    assert Numbers.of(Units(), net, data).shown == 9


class TwoHeads(nn.Module):
    """A network of two outputs, of ten classes each."""

    @nn.compact
    def __call__(self, images):
        maps = nn.relu(nn.Conv(4, (3, 3), name="conv")(images)).mean((1, 2))
        return {"logits": nn.Dense(10, name="first")(maps), "other": nn.Dense(10, name="second")(maps)}


def test_each_output_has_numbers_of_its_own(tmp_path):
    run, found = replace(make_run(TwoHeads(), (12, 12, 1)), path=tmp_path), []
    for output in ("logits", "other"):
        one = replace(run, model=OneOutput(run.model, output))
        found.append(Numbers.of(Units(layer="relu"), one, DATA).ablation(None))
    assert np.nanmax(np.abs(found[0].loss_without - found[1].loss_without)) > 0
