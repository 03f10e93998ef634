"""A layer's code in two dimensions: components are NumPy's, the picture names its axes, and what cannot be is said."""

import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_pictures import make_dataset, make_run

from cnnviz import probe, units
from cnnviz.errors import InputError
from cnnviz.figures.embedding import Cloud, ends, most_frequent
from cnnviz.figures.embedding import embedding as drawn
from cnnviz.figures.style import Style, drawn_in
from cnnviz.figures.texts import covered
from cnnviz.models.cnn import CNN
from cnnviz.pictures.embed import Embed
from cnnviz.pictures.page import SLIDE, Page
from cnnviz.pictures.picture import Data
from cnnviz.pictures.unit_numbers import last_bend

DATASET = make_dataset((12, 12, 1))
DATA = Data(lambda: DATASET)


@pytest.fixture(scope="module")
def net():
    return make_run(CNN(width=4, hidden=9), (12, 12, 1))


def test_components_are_those_of_a_singular_value_decomposition(net):
    images = np.random.default_rng(0).random((40, 12, 12, 1), np.float32)
    found = units.embedding(net.model, net.variables, images, "pool1")
    code = np.asarray(probe.activations(net.model, net.variables, images, "pool1")["pool1"], np.float64).reshape(40, -1)
    left, sizes, _ = np.linalg.svd(code - code.mean(0), full_matrices=False)
    expected = left[:, :2] * sizes[:2]
    expected *= np.sign(expected[np.abs(expected).argmax(0), [0, 1]])
    np.testing.assert_allclose(found.points, expected, atol=1e-4)
    np.testing.assert_allclose(found.explained, np.square(sizes[:2]) / np.square(sizes).sum(), rtol=1e-4)
    assert (found.layer, found.features, found.shape) == ("pool1", 6 * 6 * 4, (6, 6, 4))


class Wide(nn.Module):
    """A layer of one number, and one of more than a code may have."""

    @nn.compact
    def __call__(self, x):
        self.sow("intermediates", "one", x.mean((1, 2, 3))[:, None])
        return nn.Dense(2)(nn.Conv(70, (3, 3), name="wide")(x).mean((1, 2)))


def test_codes_of_one_number_and_of_too_many(net):
    images = np.random.default_rng(0).random((9, 8, 8, 1), np.float32)
    variables = Wide().init(jax.random.key(0), images)
    one = units.embedding(Wide(), variables, images, "one")
    assert (one.points[:, 1] == 0).all()
    assert one.explained == pytest.approx((1, 0))
    wide = units.embedding(Wide(), variables, images, "wide")
    assert wide.features == 4 * 8 * 70 < 8 * 8 * 70
    same = units.embedding(Wide(), variables, np.repeat(images[:1], 5, 0), "wide")
    assert (same.points == 0).all()


def test_t_sne_keeps_two_groups_apart_and_is_the_same_each_time(net):
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    images = rng.random((30, 12, 12, 1), np.float32) * 0.05
    images[15:, :6] += 1
    ask = lambda: units.embedding(net.model, net.variables, images, "pool1", by="tsne", perplexity=5)
    found = ask()
    np.testing.assert_array_equal(found.points, ask().points)
    one, other = found.points[:15], found.points[15:]
    assert np.linalg.norm(one.mean(0) - other.mean(0)) > one.std() + other.std()
    assert found.explained is None


def test_what_cannot_be_embedded_is_said(net, monkeypatch):
    images = np.zeros((5, 12, 12, 1), np.float32)
    ask = lambda n=5, layer="dense1", **options: units.embedding(net.model, net.variables, images[:n], layer, **options)
    with pytest.raises(InputError, match="'pac' is not an embedding; did you mean 'pca'"):
        ask(by="pac")
    with pytest.raises(InputError, match="at least three images; there were 2"):
        ask(2)
    with pytest.raises(InputError, match="One layer is needed; 'relu\\*' means 3"):
        ask(layer="relu*")
    with pytest.raises(InputError, match="neighbors are from 2 to 4"):
        ask(by="umap")
    with pytest.raises(InputError, match="perplexity is from 1 to 4"):
        ask(by="tsne")
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(
        InputError, match=r"UMAP cannot be computed without umap-learn .* pip install \"cnnviz\[embed\]\""
    ):
        ask(by="umap", neighbors=2)
    images = images.copy()
    images[3, 2] = jnp.nan
    with pytest.raises(InputError, match="'dense1' is not finite .* for image 3"):
        units.embedding(net.model, net.variables, images, "dense1")


def test_the_picture_names_the_axes_and_its_numbers_are_the_points(net):
    (picture,) = Embed(layer="dense1", images="2:14")([net], DATA)
    assert picture.numbers["points"].shape == (12, 2)
    np.testing.assert_array_equal(picture.numbers["labels"], DATASET.test.labels[2:14])
    share = picture.numbers["explained_variance"]
    figure = picture.draw()
    assert figure.axes[0].get_xlabel() == f"component 1: {100 * share[0]:.1f}% of the variance"
    assert f"shows {100 * share.sum():.1f}% of the code" in picture.caption
    images = [image for ax in figure.axes[1:] for image in ax.images]
    assert len(images) == 4 * 3
    least = int(np.argmin(picture.numbers["points"][:, 0]))
    np.testing.assert_array_equal(images[0].get_array(), DATASET.test.images[2 + least][..., 0])
    with pytest.raises(InputError, match="numbers such as"):
        Embed(images=__file__)([net], DATA)


def test_the_usual_layer_is_the_last_non_linearity_and_not_the_dropout_after_it(net):
    assert last_bend(net) == "relu3"
    assert [layer.name for layer in net.layers if layer.hands_on] == ["dropout"]


def test_the_ends_and_the_classes_with_colors():
    low, high = ends(np.array([3.0, 1, 2, 5, 4]), 2)
    assert (low.tolist(), high.tolist()) == ([1, 2], [4, 3])
    labels = np.concatenate([np.arange(40), np.arange(5, 40)])
    assert most_frequent(labels) == list(range(5, 40))
    cloud = Cloud(np.random.default_rng(0).random((75, 2)), np.zeros((75, 4, 4, 1), np.uint8), labels, ["a"])
    _, texts = drawn(cloud, ("x", "y")).axes[0].get_legend_handles_labels()
    assert texts[:2] == ["5 other classes", "class 5"]


def test_the_plane_fills_a_slide():
    cloud = Cloud(np.random.default_rng(0).random((75, 2)), np.zeros((75, 4, 4, 1), np.uint8), np.arange(75) % 3, "abc")
    wide = {}
    for style in (Style(10.0), Style(10.0, height=SLIDE)):
        with drawn_in(style):
            wide[style.height] = drawn(cloud, ("x", "y")).axes[0].get_position().width
    assert wide[None] < 0.5 < 0.7 < wide[SLIDE]


@pytest.mark.parametrize("page", [Page(), Page("column"), Page("slide")])
@pytest.mark.parametrize("size", [1e-4, 3.0, 12345.0])
def test_no_thumbnail_is_on_the_name_of_an_axis(page, size):
    at = np.random.default_rng(0).normal(size=(60, 2)) * size
    cloud = Cloud(at, np.zeros((60, 4, 4, 1), np.uint8), np.arange(60) % 3, "abc")
    with drawn_in(page.drawn):
        figure = drawn(cloud, ("component 1: 16.7% of the variance", "component 2: 13.2% of the variance"))
    assert covered(figure) == []
    boxes = [ax.get_window_extent().padded(-1) for ax in figure.axes if ax.images]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[i + 1 :])
