"""What is drawn of a run: numbers that are the network's own, sentences where there is nothing to draw, whole files."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import attribute as attribute_images
from cnnviz.data import Dataset, Split
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.models.dense import DenseNetwork
from cnnviz.models.resnet import ResNet
from cnnviz.networks import Net, Prepare
from cnnviz.pictures import (
    PICTURES,
    activations,
    attribute,
    curves,
    files,
    histograms,
    kernels,
    layers,
    maps,
    predictions,
    responses,
)
from cnnviz.pictures.attribution_page import left_out_words
from cnnviz.pictures.picture import Data, Picture, Skipped
from cnnviz.registry import resolve

RECORD = {"epoch": 1, "step": 2, "train_loss": 0.5, "train_accuracy": 0.8, "val_loss": 0.4, "val_accuracy": 0.9}


def make_dataset(shape=(28, 28, 1), classes=10, count=30):
    rng = np.random.default_rng(0)
    part = lambda: Split(rng.integers(0, 256, (count, *shape), np.uint8), rng.integers(0, classes, count, np.int32))
    return Dataset("things", part(), part(), tuple(f"thing {i}" for i in range(classes)), "", "")


def make_run(model, shape=(28, 28, 1), classes=10, history=(RECORD,)):
    draw = jax.jit(lambda key: model.init(key, jnp.zeros((1, *shape))))
    trained, untrained = (
        {name: tree for name, tree in draw(jax.random.key(seed)).items() if name in ("params", "batch_stats")}
        for seed in (0, 1)
    )
    names = tuple(f"thing {i}" for i in range(classes))
    return Net("a run", model, [trained], [untrained], shape, names, "things", history=list(history))


@pytest.fixture(scope="module")
def run():
    return make_run(CNN())


@pytest.fixture(scope="module")
def resnet():
    return make_run(ResNet(channels=8), (32, 32, 3))


@pytest.fixture(scope="module")
def dense():
    return make_run(DenseNetwork())


OPTIONS = {
    "units": {"unit": 1},
    "robustness": {"images": "0:4", "steps": 2, "epsilons": "0.1", "methods": "gradient"},
}  # kinds that need to be told what to draw
KINDS = [kind for kind in PICTURES if kind != "film"]  # which is of a run on disk
DATASET = make_dataset()
DATA = Data(lambda: DATASET)


def names(pictures):
    return [picture.name for picture in pictures]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_of_the_default_network_and_written_with_its_numbers(kind, run, tmp_path):
    for picture in resolve(PICTURES, kind, "picture")(**OPTIONS.get(kind, {}))([run], DATA):
        written = files.write(picture, tmp_path, data=True)
        assert all(path.stat().st_size for path in written)
        assert "things" in picture.title or kind == "compare"  # some parts of which need no images
        assert picture.caption.endswith(".")


def test_of_a_thousand_layers_sixty_are_in_the_drawn_table_and_all_in_the_numbers(run):
    many = [probe.Layer(f"layer{i}" + 90 * (i == 3) * "x", "Dense", (4,), 20, None) for i in range(1000)]
    vars(net := replace(run))["layers"] = many
    (picture,) = layers.Layers().of(net, Data())
    assert len(picture.numbers) == 1001
    assert "Drawn are the first and the last 30 of 1,000 layers." in picture.caption
    assert "Names of more than 60 characters are shortened in the middle." in picture.caption
    shown = layers.rows(many, 0)
    assert [row[0] for row in shown[28:33]] == ["layer28", "layer29", "… 940 more", "layer970", "layer971"]
    assert len(shown[3][0]) == 60
    assert max(picture.draw().get_size_inches()) < 20
    assert len(layers.rows(many[:60], 0)) == 61
    assert picture.table[31] == {**dict.fromkeys(layers.HEADER, ""), "layer": "layer970", "kind": "Dense"} | {
        "output shape": "4", "parameters": "20", "receptive field": "unknown", "number": "970"
    }  # fmt: skip


def test_the_layer_table_has_a_row_a_layer_and_a_total(run):
    (picture,) = layers.Layers()([run], DATA)
    assert [row["layer"] for row in picture.numbers] == [*(layer.name for layer in run.layers), "total"]
    assert picture.numbers[0] == {
        "layer": "conv1",
        "kind": "Conv",
        "shape": "28x28x32",
        "parameters": 320,
        "receptive_field": "3x3",
    }
    assert picture.numbers[-1]["parameters"] == 333_526


def test_statistics_are_those_of_every_kernel_and_of_the_whole_layer(run):
    picture = kernels.Kernels()([run], DATA)[0]
    weights = np.asarray(run.variables["params"]["conv1"]["kernel"])
    whole, first = picture.numbers[:2]
    assert (whole["layer"], whole["kernel"], first["kernel"]) == ("conv1", "all", 0)
    np.testing.assert_allclose(
        [whole["trained_mean"], whole["trained_std"]], [weights.mean(), weights.std()], rtol=1e-5
    )
    np.testing.assert_allclose(first["trained_std"], weights[..., 0].std(), rtol=1e-5)
    assert whole["untrained_mean"] != whole["trained_mean"]
    assert len(picture.numbers) == (1 + 32) + (1 + 64)


def test_first_kernels_are_two_rows_of_sixteen_on_the_scale_of_a_half(run):
    picture = kernels.Kernels()([run], DATA)[1]
    figure = picture.draw()
    assert "32 kernels of 3x3x1" in picture.title
    assert "none is clipped" in picture.caption
    assert [ax.images[0].get_clim() for ax in figure.axes[:2]] == [(-0.5, 0.5)] * 2
    assert figure.axes[0].images[0].get_array().shape == (2 * 19 + 1, 16 * 19 + 1)


def test_weights_outside_the_scale_are_counted(run):
    variables = jax.tree.map(np.array, run.variables)
    variables["params"]["conv1"]["kernel"][0, 0, 0, :3] = 0.7
    picture = kernels.kernels_picture(replace(run, members=[variables]), "conv1")
    assert "3 of 288 trained" in picture.caption


def test_a_kernel_is_drawn_where_it_is(run):
    weights = np.asarray(run.variables["params"]["conv1"]["kernel"])
    plan = kernels.arrange(weights)
    np.testing.assert_array_equal(plan.maps[5], weights[:, :, 0, 5])


def test_kernels_of_three_inputs_are_rgb():
    weights = np.random.default_rng(0).normal(size=(3, 3, 3, 8)).astype(np.float32)
    plan = kernels.arrange(weights)
    np.testing.assert_array_equal(plan.maps[7], weights[..., 7])


def test_deeper_kernels_are_inputs_by_outputs_capped_and_said():
    weights = np.random.default_rng(0).normal(size=(3, 3, 20, 8)).astype(np.float32)
    plan = kernels.arrange(weights)
    assert plan.what == "the first 16 of 20 inputs by 8 outputs of its kernels, 3x3 each"
    assert (len(plan.maps), plan.columns) == (16 * 8, 8)
    np.testing.assert_array_equal(plan.maps[2 * 8 + 5], weights[:, :, 2, 5])


def test_of_many_kernels_the_strongest_are_drawn_and_numbered(run):
    variables = jax.tree.map(np.array, run.variables)
    variables["params"]["conv2"]["kernel"][:, :, 30, 7] = 9.0
    picture = kernels.kernels_picture(replace(run, members=[variables]), "conv2")
    assert "conv2: the strongest 16 of 32 inputs by the strongest 16 of 64 outputs of its kernels" in picture.title
    labels = [text.get_text() for text in picture.draw().axes[0].texts]
    assert (labels[0], labels[16]) == ("7", "30")
    weights = variables["params"]["conv2"]["kernel"].astype(float)
    (inputs, outputs) = (np.array(labels[start : start + 16], int) for start in (16, 0))
    share = np.square(weights[:, :, inputs][..., outputs]).sum() / np.square(weights).sum()
    assert f"have {share:.0%} of the trained and " in picture.caption
    assert "strongest" not in kernels.kernels_picture(run, "conv1").title


def test_kernels_of_colors_are_on_the_scale_of_their_own_range():
    net = make_run(ResNet(channels=8), (32, 32, 3))
    weak = jax.tree.map(lambda leaf: leaf / 40, net.variables)
    picture = kernels.kernels_picture(replace(net, members=[weak]), "conv1")
    trained, untrained, bar = picture.draw().axes
    for ax, variables in ((trained, weak), (untrained, net.untrained)):
        weights = np.abs(variables["params"]["conv1"]["kernel"])
        assert (pixels := np.asarray(ax.images[0].get_array())).min() < 0.05
        assert pixels.max() > 0.95
        end = float(ax.get_title(loc="left").split()[-1])
        assert np.percentile(weights, 99) < end < 1.3 * weights.max()
    assert [label.get_text() for label in bar.get_yticklabels()][-1] == "1"
    assert "on a scale of each network's own, trained from −0.0" in picture.caption


def test_kernels_of_a_dense_layer_on_the_image_are_images(dense):
    (picture,) = kernels.Kernels()([dense], DATA)
    weights = np.asarray(dense.variables["params"]["dense1"]["kernel"])
    filters = kernels.as_filters(weights, "dense1", (28, 28, 1))
    np.testing.assert_array_equal(filters[3, 4, 0, 9], weights[3 * 28 + 4, 9])
    assert "100 kernels of 28x28x1" in picture.title


def test_a_dense_layer_behind_others_has_statistics_but_no_picture_of_kernels(run):
    assert names(kernels.Kernels(layer="logits")([run], DATA)) == ["kernel_statistics_logits"]
    with pytest.raises(Skipped, match=r"The kernel of logits, 100x10, cannot be drawn"):
        kernels.kernels_picture(run, "logits")


@pytest.mark.parametrize("kind", [kernels.Kernels, histograms.Histograms])
def test_a_layer_without_a_kernel_is_skipped_with_those_that_have_one(kind, run):
    with pytest.raises(
        Skipped, match=r"The layer relu1 has no kernel; layers with one are conv1, conv2, dense1, logits"
    ):
        kind(layer="relu1")([run], DATA)


@pytest.mark.parametrize(
    ("kind", "asked", "said"),
    [
        (kernels.Kernels(layer="0,2"), "kernels_conv1", "kernels: pool1 has no kernel and is left out."),
        (kernels.Kernels(layer="conv1,dense1"), "kernels_conv1", "kernels: The kernel of dense1, "),
        (
            histograms.Histograms(layer="0,1,2"),
            "histogram_conv1",
            "histograms: relu1, pool1 have no kernel",
        ),
        (responses.Responses(layer="0,dense1"), "responses_conv1", "responses: dense1 has no kernel of a convolution"),
    ],
)
def test_layers_that_are_asked_for_and_not_drawn_are_said(kind, asked, said, run):
    notes = []
    assert asked in names(kind([run], replace(DATA, note=notes.append)))
    assert [note.startswith(said) for note in notes] == [True]


def test_a_histogram_counts_every_weight_of_the_first_convolution(run):
    (picture,) = histograms.Histograms()([run], DATA)
    assert picture.name == "histogram_conv1"
    counts = Counter()
    for row in picture.numbers:
        counts[row["weights"], row["bins"]] += row["count"]
    assert set(counts) == {(kind, bins) for kind in ("trained", "untrained") for bins in ("own", "shared")}
    assert set(counts.values()) == {288}
    weights = np.asarray(run.untrained["params"]["conv1"]["kernel"])
    own = [row["count"] for row in picture.numbers if (row["weights"], row["bins"]) == ("untrained", "own")]
    assert own == np.histogram(weights, 10)[0].tolist()
    assert picture.table[1]["in ten bins"] == " ".join(map(str, own))


def test_feature_maps_are_those_of_the_model_after_its_non_linearities(run):
    found = activations.Activations(image=3, split="test")([run], DATA)
    assert names(found) == ["image", "activations_relu1", "activations_relu2"]
    np.testing.assert_array_equal(found[0].numbers["image"], DATASET.test.images[3])
    expected = probe.activations(run.model, run.variables, run.prepare(DATASET.test.images[3:4]), ["relu2"])["relu2"]
    np.testing.assert_allclose(found[2].numbers["relu2"], expected[0], atol=1e-6)
    label = DATASET.test.labels[3]
    assert found[2].title == f"a run on test image 3 (thing {label}) of things: relu2, 64 feature maps of 14x14"


def test_maps_are_drawn_4x8_and_8x8_on_a_scale_from_zero(run):
    _, relu1, relu2 = activations.Activations()([run], DATA)
    images = [picture.draw().axes[0].images[0] for picture in (relu1, relu2)]
    assert [image.get_array().shape for image in images] == [(4 * 29 + 1, 8 * 29 + 1), (8 * 29 + 1, 8 * 29 + 1)]
    assert all(image.get_clim()[0] == 0 for image in images)


def test_signed_maps_are_centered_on_zero(run):
    found = activations.Activations(layer="conv1")([run], DATA)
    low, high = found[1].draw().axes[0].images[0].get_clim()
    assert low == -high < 0


def test_maps_may_have_a_scale_each_and_the_caption_says_so(run):
    one = activations.Activations(layer="conv1,relu1", scale="map")([run], DATA)[1:]
    for picture, low, start in zip(one, (-1, 0), ("minus its end", "0"), strict=True):
        assert f"Each map on a scale of its own, from {start} to its end; ends are " in picture.caption
        image = picture.draw().axes[0].images[0]
        assert image.get_clim() == (low, 1)
        (maps,) = picture.numbers.values()
        tiles = np.asarray(image.get_array())
        shown = np.stack([tiles[1 + i // 8 * 29 :, 1 + i % 8 * 29 :][:28, :28] for i in range(32)], -1)
        ends = np.abs(shown).max((0, 1))
        assert ends[ends > 0].min() > 0.9
        np.testing.assert_allclose(shown * (np.abs(maps).max((0, 1)) / np.maximum(ends, 1e-9)), maps, atol=1e-5)
    with pytest.raises(InputError, match="'maps' is not a scale; did you mean 'map'"):
        activations.Activations(scale="maps")


def test_all_layers_that_are_asked_for_are_drawn(resnet):
    data = Data(lambda: make_dataset((32, 32, 3)))
    found = activations.Activations(layer="**/conv?,-1")([resnet], data)
    assert len(found) == 1 + 6 + 1
    assert not any("such layers" in picture.caption for picture in found)


def test_a_code_is_drawn_as_bars(run, dense):
    assert len(activations.Activations(layer="dense1")([run], DATA)[1].draw().axes[0].patches) == 100
    assert names(activations.Activations()([dense], DATA)) == ["image", "activations_relu1"]


def test_of_many_layers_a_few_are_drawn_and_it_is_said(resnet):
    data = Data(lambda: make_dataset((32, 32, 3)))
    found = activations.Activations()([resnet], data)
    blocks = [f"activations_stage{stage}_block1/relu2" for stage in (1, 2, 3)]
    assert names(found) == ["image", "activations_relu1", *blocks]
    assert found[1].caption.endswith("4 of 7 such layers are drawn.")


def test_a_residual_network_is_drawn_in_all_kinds(resnet, tmp_path):
    data = Data(lambda: make_dataset((32, 32, 3)))
    kinds = [resolve(PICTURES, kind, "picture")(**OPTIONS.get(kind, {})) for kind in KINDS]
    found = [picture for kind in kinds for picture in kind([resnet], data)]
    assert len([picture.draw() for picture in found]) == 31
    (path,) = files.write(found[7], tmp_path)
    assert path.name == "activations_stage2_block1-relu2_test0.png"


class Unedited(nn.Module):
    """Two convolutions with a function between them, and nothing sown."""

    between: Callable

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), name="conv2d", kernel_init=nn.initializers.normal())(x)
        x = nn.Conv(4, (3, 3), strides=2, name="conv2d_1")(self.between(x))
        return nn.Dense(10, name="dense")(x.mean((1, 2)))


def test_without_non_linearities_the_convolutions_are_drawn():
    drawn = lambda between: names(activations.Activations()([make_run(Unedited(between))], DATA))
    assert drawn(nn.relu) == ["image", "activations_relu"]
    assert drawn(lambda x: 2 * x) == ["image", "activations_conv2d", "activations_conv2d_1"]


def test_the_best_epoch_is_that_of_least_validation_loss(run):
    history = [RECORD | {"epoch": i + 1, "val_loss": loss} for i, loss in enumerate([0.5, 0.3, 0.4])]
    (picture,) = curves.Curves()([replace(run, history=history)], DATA)
    assert "marks epoch 2, whose validation loss, 0.3000, is the least" in picture.caption
    assert list(picture.draw().axes[0].lines[0].get_xdata()) == [2, 2]
    assert picture.numbers == history


def test_without_a_history_there_are_no_curves(run):
    with pytest.raises(Skipped, match=r"a run has no history of its training, so there are no curves to draw\."):
        curves.Curves()([replace(run, history=[])], DATA)


def test_probabilities_are_the_softmax_of_the_logits(run):
    picture = predictions.Predictions()([run], DATA)[0]
    logits = probe.logits(run.model, run.variables, run.prepare(DATASET.test.images[:1]))
    np.testing.assert_allclose([row["probability"] for row in picture.numbers], jax.nn.softmax(logits)[0], atol=1e-6)
    assert [row["class"] for row in picture.numbers if row["true"]] == [f"thing {DATASET.test.labels[0]}"]


def test_the_confusion_matrix_counts_true_by_predicted(run):
    picture = predictions.confusion_picture(run, DATASET, np.eye(10)[(DATASET.test.labels + 1) % 10])
    counts = np.array(picture.numbers["counts"])
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(DATASET.test.labels, minlength=10))
    assert all(counts[i, (i + 1) % 10] == counts[i].sum() for i in range(10))
    assert "test accuracy 0.0000" in picture.title
    assert "Drawn are" not in picture.caption


def test_of_many_classes_those_with_the_most_mistakes_are_in_the_matrix(run):
    said = DATASET.test.labels.copy()
    said[:6] = 4000, 4000, 700, 701, 702, 703
    picture = predictions.confusion_picture(run, DATASET, np.eye(5000)[said])
    assert picture.caption.endswith("Drawn are the 50 of 5,000 classes with the most mistakes, in order.")
    assert {"700", "701", "702", "703", "4000"} <= set(picture.numbers["classes"])
    assert picture.numbers["classes"] == sorted(picture.numbers["classes"], key=int)
    assert np.shape(picture.numbers["counts"]) == (50, 50)
    assert np.sum(picture.numbers["counts"]) == 30
    assert max(picture.draw().get_size_inches()) < 12
    thousand = predictions.confusion_picture(run, DATASET, np.eye(900)[said % 900])
    assert np.shape(thousand.numbers["counts"]) == (900, 900)


def test_a_network_too_large_for_all_images_is_shown_the_first(run, monkeypatch):
    monkeypatch.setattr(
        "cnnviz.pictures.effort.MOST", (probe.products(run.model, run.variables, (28, 28, 1)) * 12,) * 2
    )
    _, confusion, mistakes = predictions.Predictions()([run], DATA)
    assert confusion.title.endswith(" of the first 12 of 30 images")
    assert np.sum(confusion.numbers["counts"]) == 12
    assert all(record["image"] < 12 for record in mistakes.numbers)
    (maps_of_one,) = attribute.Attributions(methods="gradient,guided_backprop")([run], DATA)
    assert maps_of_one.numbers["gradient"].shape[1] == 2  # each takes three passes per image
    assert "Left out: 6 of 8 images. This large network would take hours." in maps_of_one.caption
    (as_asked,) = attribute.Attributions(methods="gradient", images="0:7")([run], DATA)
    assert as_asked.numbers["gradient"].shape[1] == 7


def test_mistakes_are_the_most_confident_first(run):
    p = np.full((30, 10), 0.01)
    p[np.arange(30), DATASET.test.labels] = 0.9
    for image, sure in ((4, 0.95), (7, 0.99)):
        p[image, (DATASET.test.labels[image] + 1) % 10] = sure
    (picture,) = predictions.mistakes_pictures(run, DATASET, p)
    assert [row["image"] for row in picture.numbers] == [7, 4]
    assert "the 2 most confident of 2 mistakes" in picture.title
    picture.draw()


def test_without_mistakes_there_is_no_picture_of_them(run):
    p = np.eye(10)[DATASET.test.labels]
    assert predictions.mistakes_pictures(run, DATASET, p) == []
    assert "None is wrong." in predictions.confusion_picture(run, DATASET, p).caption


def test_predictions_are_made_a_few_images_at_a_time():
    sizes, many = set(), np.tile(DATASET.test.images, (3, 1, 1, 1))

    class Watched(Prepare):
        def __call__(self, images):
            sizes.add(len(images))
            return super().__call__(images)

    net = make_run(CNN())
    expected = jax.nn.softmax(probe.logits(net.model, net.variables, net.prepare(many)))
    found = predictions.predict(replace(net, prepare=Watched()), many)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert 0 < max(sizes) < len(many)


def test_of_many_classes_the_likeliest_and_the_true_one_are_drawn():
    p = np.linspace(1, 0, 100)
    assert list(predictions.likeliest(p, 3)) == list(range(20))
    assert list(predictions.likeliest(p, 99)) == [*range(19), 99]


@pytest.mark.parametrize("kind", ["activations", "predictions"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": 30}, r"things has no test image 30; they go from 0 to 29\."),
        ({"image": -1}, r"things has no test image -1;"),
        ({"split": "tests"}, r"'tests' is not a split; did you mean 'test'"),
    ],
)
def test_an_image_that_is_not_there_is_an_error_of_one_sentence(kind, options, message, run):
    with pytest.raises(InputError, match=message):
        resolve(PICTURES, kind, "picture")(**options)([run], DATA)


@pytest.mark.parametrize("kind", ["activations", "attribute", "predictions"])
def test_images_that_the_network_does_not_take_are_an_error_of_one_sentence(kind, run):
    with pytest.raises(InputError, match=r"a run takes images of 28x28x1; those of things are 32x32x3\."):
        resolve(PICTURES, kind, "picture")()([run], Data(lambda: make_dataset((32, 32, 3))))


@pytest.mark.parametrize("kind", ["layers", "kernels", "histograms", "activations", "attribute"])
def test_an_unknown_layer_is_an_error_in_every_kind_that_has_layers(kind, run):
    with pytest.raises(InputError, match=r"'conv9' is not a layer; did you mean 'conv"):
        resolve(PICTURES, kind, "picture")(layer="conv9")([run], DATA)


def test_more_classes_than_outputs_are_an_error(run):
    with pytest.raises(InputError, match=r"a run tells 10 classes apart; things has 12\."):
        predictions.Predictions()([run], Data(lambda: make_dataset(classes=12)))


@pytest.mark.parametrize("kind", ["activations", "predictions"])
def test_without_a_data_set_what_needs_one_is_skipped(kind, run):
    with pytest.raises(Skipped, match=r"a run comes with no data set to show it; name one with --dataset[.,]"):
        resolve(PICTURES, kind, "picture")()([run], Data())


@pytest.fixture(scope="module")
def drawn(run):
    return histograms.Histograms()([run], DATA)[0]


@pytest.mark.parametrize(("format", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_file_has_its_format_and_the_same_bytes_each_time(format, start, drawn, tmp_path):
    contents = [files.write(drawn, tmp_path / str(i), format)[0].read_bytes() for i in range(2)]
    assert contents[0] == contents[1]
    assert contents[0].startswith(start)


def test_an_unknown_format_is_an_error_and_writes_nothing(drawn, tmp_path):
    with pytest.raises(InputError, match=r"'pgn' is not a format; did you mean 'png'"):
        files.write(drawn, tmp_path / "new", "pgn")
    assert not (tmp_path / "new").exists()


def test_numbers_are_written_as_what_they_are(drawn, tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    kinds = {
        "npz": {"stage1/conv1": array},
        "csv": [{"layer": "conv1, the first", "mean": 0.5}],
        "json": {"classes": ["é"], "accuracy": np.float32(0.5), "counts": array},
    }
    path = {kind: files.write(replace(drawn, numbers=n), tmp_path, data=True)[1] for kind, n in kinds.items()}
    assert {kind: found.suffix for kind, found in path.items()} == {kind: f".{kind}" for kind in kinds}
    np.testing.assert_array_equal(np.load(path["npz"])["stage1/conv1"], array)
    assert list(csv.DictReader(path["csv"].open())) == [{"layer": "conv1, the first", "mean": "0.5"}]
    assert json.loads(path["json"].read_text()) == {"classes": ["é"], "accuracy": 0.5, "counts": array.tolist()}


@pytest.mark.parametrize(("name", "file"), [("a/b", "a-b.png"), ("../../c", "c.png"), ("shared@1", "shared@1.png")])
def test_a_name_cannot_leave_the_folder(name, file, drawn, tmp_path):
    assert files.write(replace(drawn, name=name), tmp_path)[0] == tmp_path / file


def test_layers_whose_names_differ_have_files_that_differ(drawn, tmp_path):
    layers = ["a/b", "a-b", "a b", "a\tb", "a//b", "a/ b", "a/b/", "/a/b", ".a/b", "b" * 300, "b" * 301, "é" * 300]
    name = lambda layer: replace(drawn, name=f"kernels_{layer}", subject={"layer": layer})
    written = [files.write(name(layer), tmp_path)[0].name for layer in layers]
    assert len(set(written)) == len(layers)
    assert written[0] == "kernels_a-b.png"
    assert written[2] == files.write(name("a b"), tmp_path)[0].name  # it does not depend on other layers


def test_a_write_that_fails_leaves_what_was_there(drawn, tmp_path, monkeypatch):
    (path,) = files.write(drawn, tmp_path)
    before = path.read_bytes()

    def fill_the_disk(path, data):
        path.open("wb").write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        files.write(drawn, tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_drawing_leaves_matplotlib_settings_as_they_are(drawn, tmp_path):
    before = dict(matplotlib.rcParams)
    files.write(drawn, tmp_path, "svg")
    assert dict(matplotlib.rcParams) == before


def test_a_picture_is_drawn_with_dollars_as_they_are(drawn, tmp_path):
    files.write(replace(drawn, caption="cost $5 and $x_{"), tmp_path)
    assert isinstance(drawn, Picture)


def test_attributions_are_a_matrix_with_its_raw_maps_and_a_manifest(run):
    asked = attribute.Attributions(methods="gradient,layer_cam", images="1:3", target="thing 4, thing 2")
    (picture,) = asked([run], DATA)
    assert "things" in picture.title
    assert {name: values.shape for name, values in picture.numbers.items()} == {
        "manifest": (), "images": (2, 28, 28, 1), "gradient": (1, 2, 28, 28), "layer_cam": (1, 2, 28, 28),
        "layer_cam.relu2": (1, 2, 14, 14),
    }  # fmt: skip
    manifest = json.loads(str(picture.numbers["manifest"]))
    assert (manifest["images"], manifest["target"]) == ([1, 2], "thing 4, thing 2")
    assert manifest["methods"]["layer_cam"]["at"] == ["relu2"]


def test_methods_that_compare_with_a_data_set_get_training_images(run):
    asked = attribute.Attributions(methods="deep_lift,deep_lift_shap,expected_gradients", images="0:2")
    (picture,) = asked([run], DATA)
    one, many = picture.numbers["deep_lift"], picture.numbers["deep_lift_shap"]
    assert np.abs(one - many).max() > 0.1 * np.abs(one).max()
    methods = json.loads(str(picture.numbers["manifest"]))["methods"]
    assert [methods[name]["baseline"] for name in methods] == [0.0, "ArrayImpl", "ArrayImpl"]


def test_several_members_are_drawn_by_mean_and_deviation(run):
    two = replace(run, members=[run.variables, run.untrained], beginnings=[run.untrained] * 2, seeds=(0, 1))
    (picture,) = attribute.Attributions(methods="gradient", images="0:2")([two], DATA)
    maps = picture.numbers["gradient"]
    assert maps.shape == (2, 2, 28, 28)
    image, mean, _, deviation, _ = picture.draw().axes
    assert deviation.get_title(loc="left") == "gradient\nsd of 2 seeds"
    np.testing.assert_allclose(mean.images[0].get_array(), maps[:, 0].mean(0))
    np.testing.assert_allclose(deviation.images[0].get_array(), maps[:, 0].std(0, ddof=1), atol=1e-6)


def test_a_network_without_feature_maps_has_the_methods_that_need_none(dense):
    said = []
    (picture,) = attribute.Attributions(images="0")([dense], replace(DATA, note=said.append))
    assert [line for line in said if line.startswith("left out: grad_cam. ")] == said != []
    assert "integrated_gradients" in picture.numbers
    assert "grad_cam" not in picture.numbers
    assert "Left out: grad_cam." in picture.caption
    for methods in ("grad_cam", "gradient,grad_cam"):
        with pytest.raises(InputError, match="^grad_cam: .*spatial extent"):
            attribute.Attributions(images="0", methods=methods)([dense], DATA)
    reasons = {"cam": "It needs maps.", "sobol": "Too slow.", "fem": "It needs maps."}
    assert left_out_words(reasons) == ["Left out: cam, fem. It needs maps.", "Left out: sobol. Too slow."]


def test_a_reason_why_nothing_is_drawn_is_said_once(run):
    with pytest.raises(Skipped, match=r"^A target is a class from 0 to 9; it was 99\.$"):
        attribute.Attributions(images="0", target="99")([run], DATA)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"images": "eight"}, "it was 'eight'"),
        ({"images": "0,99"}, "things has no test image 99; they go from 0 to 29"),
        ({"images": "9:9"}, "The range 9:9 means none of the 30 images"),
        ({"target": "think 3"}, "'think 3' is not a target; did you mean 'thing 3'"),
        ({"methods": "gradcam"}, "'gradcam' is not a method; did you mean 'grad_cam'"),
    ],
)
def test_what_no_attribution_can_be_drawn_of_is_said(run, change, text):
    with pytest.raises(InputError, match=text):
        attribute.Attributions(**change)([run], DATA)


def test_pictures_say_what_they_are_of_and_name_the_axes_of_their_numbers(run):
    (image, relu1) = activations.Activations(image=3, split="test", layer="relu1")([run], DATA)
    shown = {"dataset": "things", "split": "test", "index": 3}
    assert image.subject == {"image": shown}
    assert relu1.subject == {"network": "a run", "image": shown, "layer": "relu1"}
    assert relu1.axes == {"relu1": ("height", "width", "channel")}
    maps = kernels.kernels_picture(run, "conv1")
    assert maps.subject == {"network": "a run", "layer": "conv1"}
    assert maps.axes["trained"] == ("height", "width", "input", "output")
    (matrix,) = attribute.Attributions(methods="gradient", images="2")([run], DATA)
    assert matrix.subject == {
        "network": "a run",
        "image": shown | {"index": [2]},
        "method": ["gradient"],
        "target": "predicted",
        "drawn": [],
    }
    assert matrix.axes == {"gradient": ("member", "image", "row", "column")}


@pytest.mark.parametrize("kind", ["layers", "kernels", "histograms", "activations", "predictions"])
def test_of_several_seeds_the_title_says_which_is_drawn(kind, run):
    two = replace(run, members=[run.untrained, run.variables], beginnings=[run.untrained] * 2, seeds=(5, 6))
    found = [p for p in resolve(PICTURES, kind, "picture")()([two], DATA) if p.name != "image"]
    assert all("a run (seed 5, one of 2)" in picture.title for picture in found)
    other = [p for p in resolve(PICTURES, kind, "picture")()([two.only(1)], DATA) if p.name != "image"]
    assert all("a run (seed 6, one of 2)" in picture.title for picture in other)


def test_several_networks_are_drawn_one_after_the_other(run, dense):
    found = layers.Layers()([run, replace(dense, name="another")], DATA)
    assert [picture.subject["network"] for picture in found] == ["a run", "another"]


def test_a_picture_is_saved_by_its_ending_and_shown_in_a_notebook(drawn, tmp_path):
    assert drawn.save(tmp_path / "x.svg").read_bytes().startswith(b"<?xml")
    assert drawn._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"'pgn' is not a format; did you mean 'png'"):
        drawn.save(tmp_path / "x.pgn")


def test_an_attribution_is_shown_in_a_notebook(run):
    images = run.prepare(DATASET.test.images[:3])
    found = attribute_images("integrated_gradients", run.model, run.variables, images, 2, samples=4, details=True)
    assert found._repr_png_().startswith(b"\x89PNG")
    picture = maps.maps_picture(found.maps, found.gap)
    assert picture.title == "3 attribution maps of 28x28"
    assert "Completeness gaps are at most" in picture.caption
    np.testing.assert_array_equal(picture.numbers["maps"], found.maps)


def test_layers_are_drawn_by_pattern_and_a_table_too_long_is_folded(resnet):
    data = Data(lambda: make_dataset((32, 32, 3)))
    found = activations.Activations(layer="stage?_block1/relu1")([resnet], data)
    assert names(found)[1:] == [f"activations_stage{i}_block1/relu1" for i in (1, 2, 3)]
    drawn = names(kernels.Kernels(layer="**/conv?,conv1")([resnet], DATA))
    each = [f"kernels_stage{i}_block1/conv{k}" for i in (1, 2, 3) for k in (1, 2)]
    named = "+".join(["conv1", *(f"stage{i}_block1/conv{k}" for i in (1, 2, 3) for k in (1, 2))])
    assert drawn == [f"kernel_statistics_{named}", "kernels_conv1", *each]
    assert names(kernels.Kernels(layer="kind:Conv")([resnet], DATA))[0] == "kernel_statistics"  # the same as by default
    (picture,) = layers.Layers(depth=1)([resnet], DATA)
    assert "25 layers inside 3 modules are in their rows; --depth lists them." in picture.caption
    many = [replace(layer, name=f"part{i}/{layer.name}") for i in range(20) for layer in resnet.layers]
    assert [layer.name for layer in layers.legible(many)] == [f"part{i}" for i in range(20)]
    assert sum(layer.parameters for layer in layers.legible(many)) == 20 * kernel_count(resnet)


def kernel_count(net):
    return sum(layer.parameters for layer in net.layers)


class Convolutions(nn.Module):
    """Convolutions along as many axes as the images have."""

    @nn.compact
    def __call__(self, x):
        for name in ("first", "second"):
            x = nn.relu(nn.Conv(4, (3,) * (x.ndim - 2), name=name)(x))
        return nn.Dense(3)(x.mean(tuple(range(1, x.ndim - 1))))


@pytest.mark.parametrize("shape", [(12, 2), (6, 8, 8, 2)], ids=["signals", "volumes"])
@pytest.mark.parametrize("kind", ["activations", "attribute", "histograms", "kernels", "layers", "predictions"])
def test_signals_and_volumes_are_drawn(kind, shape):
    own = make_run(Convolutions(), shape, classes=3)
    drawn = resolve(PICTURES, kind, "")()([own], Data(lambda: make_dataset(shape, classes=3)))
    assert drawn
    for picture in drawn:
        picture.draw().canvas.draw()
    slices = [picture for picture in drawn if "slice at depth" in picture.caption]
    assert bool(slices) == (len(shape) == 4 and kind in ("activations", "attribute", "predictions"))
