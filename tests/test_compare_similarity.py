"""The part `similarity` of a comparison: what is drawn, its references, and the similarity of seeds."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from test_compare import jittered
from test_pictures import RECORD, make_dataset, make_run

from cnnviz.comparison.measures import MEASURES
from cnnviz.comparison.seeds import similarity_of_seeds
from cnnviz.comparison.similarity import reader, similarity
from cnnviz.errors import InputError
from cnnviz.figures.fonts import FONT
from cnnviz.figures.layer_pairs import layer_pairs
from cnnviz.figures.scales import Scale, symmetric
from cnnviz.figures.style import Style, drawn_in
from cnnviz.figures.texts import cut_off, make_drawable, overlapping
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures.compared.similarity import Similarity
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import Data, Skipped
from cnnviz.probe import activations

RANDOM = np.random.default_rng(3)


@pytest.fixture(scope="module")
def dataset():
    found = make_dataset()
    images = RANDOM.integers(0, 256, (60, 28, 28, 1), dtype=np.uint8)
    return replace(found, test=type(found.test)(images, np.arange(60, dtype=np.int32) % 10))


@pytest.fixture(scope="module")
def three():
    net = make_run(DenseNetwork(), history=[RECORD])
    return jittered(net, "one recipe", 3)


@pytest.fixture(scope="module")
def drawn(three, dataset):
    nets = [three, replace(three.first, name="a single seed")]
    return {picture.name: picture for picture in Similarity()(nets, Data(lambda: dataset))}


def test_the_heat_map_has_null_and_ceiling_and_the_caption_says_what_they_are(three, dataset, drawn):
    picture = drawn["similarity_a_b"]
    found = similarity(three, three.first, dataset.test.images)
    values = [row["value"] for row in picture.numbers if row["what"] == "similarity"]
    np.testing.assert_allclose(np.reshape(values, found.values.shape), found.values)
    texts = [ax.get_title() for ax in picture.figure().axes]
    assert {"null", "ceiling"} <= set(texts)
    assert "Null: the most that" in picture.caption
    assert "Ceiling: what the row's layer reaches with itself in another seed of one recipe" in picture.caption
    assert "60 test images" in picture.caption
    assert [row["layer"] for row in picture.table] == list(found.rows)
    printed = {text.get_text() for ax in picture.figure().axes for text in ax.texts}
    assert f"{np.diagonal(np.asarray(found.ceiling))[-1]:.2f}" in printed


def test_the_same_network_twice_is_exactly_one_and_that_is_said(three, dataset):
    one = replace(three.first, name="x")
    (picture,) = Similarity()([one, replace(one, name="y")], Data(lambda: dataset))
    assert "x and y are exactly the same network" in picture.caption
    assert {row["same in y"] for row in picture.table} == {1.0}
    assert "no ceiling" in picture.caption
    assert "ceiling" not in picture.table[0]


def test_seeds_are_the_mean_and_deviation_over_pairs(three, dataset, drawn):
    found = similarity_of_seeds(three, dataset.test.images, "procrustes")
    layers = reader(three).layers
    own = [
        {name: np.asarray(values).reshape(60, -1) for name, values in each.items()}
        for each in (activations(three.model, v, three.prepare(dataset.test.images), layers) for v in three.members)
    ]
    pairs = [(0, 1), (0, 2), (1, 2)]
    at = [[MEASURES["procrustes"](own[i]["logits"], own[j]["logits"]) for i, j in pairs]]
    place = found.layers.index("logits")
    np.testing.assert_allclose(found.values[:, place, place], at[0], atol=1e-5)
    np.testing.assert_allclose(found.deviation[place, place], np.std(at, ddof=1), atol=1e-5)
    np.testing.assert_allclose(found.mean, found.mean.T)
    streamed = similarity_of_seeds(three, dataset.test.images)
    rows = drawn["similarity_seeds_a"].table
    np.testing.assert_allclose([row["mean"] for row in rows], np.diagonal(streamed.mean))
    np.testing.assert_allclose([row["deviation"] for row in rows], np.diagonal(streamed.deviation))


def test_two_seeds_are_one_pair_without_a_deviation(three, dataset):
    two = replace(three, members=three.members[:2], seeds=(0, 1), beginnings=three.beginnings[:2])
    found = similarity_of_seeds(two, dataset.test.images)
    assert np.isnan(found.deviation).all()
    direct = similarity(two.only(0), two.only(1), dataset.test.images)
    np.testing.assert_allclose(np.diagonal(found.mean), np.diagonal(direct.values), atol=1e-6)
    (picture,) = Similarity()([two], Data(lambda: dataset))
    assert "the pair of seeds" in picture.caption
    with pytest.raises(InputError, match="takes a run of two or more"):
        similarity_of_seeds(two.only(0), dataset.test.images)


def test_a_layer_that_is_constant_in_one_seed_is_named_and_left_out(three, dataset):
    dead = jax.tree.map(np.asarray, three.members[1])
    dead = {**dead, "params": {**dead["params"], "logits": jax.tree.map(np.zeros_like, dead["params"]["logits"])}}
    net = replace(three, members=[three.members[0], dead, three.members[2]])
    for measure in ("debiased_cka", "procrustes"):
        found = similarity_of_seeds(net, dataset.test.images, measure)
        assert found.left_out == ("logits",), measure
        assert np.isfinite(found.values).all()
    (picture,) = Similarity()([net], Data(lambda: dataset))
    assert "Left out, the same for all images in some seed: logits." in picture.caption


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"measure": "debiased_ckaa"}, "did you mean 'debiased_cka'"),
        ({"among": 3}, "among must be at least 4 images to compare on; it was 3"),
        ({"among": 0}, "among must be at least 4 images to compare on; it was 0"),
        ({"among": 8, "measure": "mutual_knn"}, "at least 12 images"),
    ],
)
def test_what_cannot_be_measured_is_refused(three, dataset, options, text):
    with pytest.raises(InputError, match=text):
        Similarity(**options)([three.first, three.only(1)], Data(lambda: dataset))


def test_data_with_too_few_images_leave_the_part_out(three, dataset):
    few = replace(dataset, test=replace(dataset.test, images=dataset.test.images[:3], labels=dataset.test.labels[:3]))
    with pytest.raises(Skipped, match="things has 3 test images, and a similarity needs 4"):
        Similarity()([three.first, three.only(1)], Data(lambda: few))


def test_one_network_of_one_seed_is_skipped_and_one_for_other_images_said(three, dataset):
    with pytest.raises(Skipped, match="one network of one seed"):
        Similarity()([three.first], Data(lambda: dataset))
    small = replace(make_run(DenseNetwork(), (8, 8, 1)), name="small")
    (picture,) = Similarity()([three.first, three.only(1), small], Data(lambda: dataset))
    assert "Left out, since images of things are 28x28x1: small (8x8x1)." in picture.caption


VALUES = RANDOM.random((9, 30))
ROWS = ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "dense1", "relu3", "logits"]
COLUMNS = [f"stage{i // 9}_block{i % 9}/conv{i % 4}" for i in range(30)]
SHAPES = {
    "wide": (VALUES, ROWS, COLUMNS, Scale(0.0, 1.0)),
    "signed": (2 * VALUES[:, :9] - 1, ROWS, ROWS, symmetric(1.0)),
    "one layer": (VALUES[:1, :1], ROWS[:1], ROWS[:1], Scale(0.0, 1.0)),
    "many": (np.tile(VALUES, (12, 4)), ROWS * 12, COLUMNS * 4, Scale(0.0, 1.0)),
}


@pytest.mark.parametrize("page", [Page("column"), Page("text", "paper"), Page("slide")], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_names_of_many_layers_are_thinned_with_a_word_and_none_overlaps(shape, page):
    values, rows, columns, scale = SHAPES[shape]
    with drawn_in(page.drawn):
        strips = {"null": values[:, 0] * 0.02, "ceiling": values[:, 0]}
        figure = layer_pairs(values, rows, columns, strips, scale, names=("a run", "another run"), label="debiased CKA")
    make_drawable(figure, FONT)
    assert cut_off(figure) == []
    assert overlapping(figure) == []
    assert any("named" in text.get_text() for text in figure.axes[0].texts) == (
        shape == "many" or page.width == "column" and shape == "wide"
    )


def test_a_negative_number_fits_into_its_strip_and_zero_has_no_sign():
    names = [f"stage{i}_block1/conv1" for i in range(3)]
    figure = layer_pairs(np.ones((3, 3)), names, names, {"null": np.array([-0.0012, -0.0003, 0.002])}, Scale(0.0, 1.0))
    strip = figure.axes[1]
    assert [text.get_text() for text in strip.texts] in ([], ["−0.001", "0.000", "0.002"])
    make_drawable(figure, FONT)
    figure.canvas.draw()
    edges = strip.get_window_extent()
    for text in strip.texts:
        assert edges.x0 < text.get_window_extent().x0 < text.get_window_extent().x1 < edges.x1
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names


def test_numbers_are_printed_where_they_fit_and_nan_is_a_dash():
    values = np.array([[0.5, np.nan], [-0.25, 1.0]])
    with drawn_in(Style()):
        figure = layer_pairs(values, ["a", "b"], ["c", "d"], {}, symmetric(1.0))
    assert [text.get_text() for text in figure.axes[0].texts][:4] == ["0.50", "–", "−0.25", "1.00"]
